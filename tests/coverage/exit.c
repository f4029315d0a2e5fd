/* SPDX-License-Identifier: MIT */
/*
 * Linked into everything of a build that counts lines.
 *
 * DESIGN. The counts are written by exit(), but the keeper, the minders and what is forked from
 * tests end by _exit(), as they should. The linker leads that call here (--wrap), so that the
 * sources need no #ifdef for it. What is killed with SIGKILL writes nothing, which costs some
 * lines and cannot be helped.
 */

_Noreturn void __wrap__exit(int status);
_Noreturn void __real__exit(int status);
void __gcov_dump(void);

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
