/* SPDX-License-Identifier: MIT */
/*
 * How fast the programs of this build are. With a sanitizer they take several times as long, so a
 * lease that is generous without one ends while its worker is at work, and the task is rightly
 * taken from it. Leases and graces are longer there, and so is the patience of those who wait for
 * something; what is checked is the same.
 */
#ifndef RQT_PACE_H
#define RQT_PACE_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RQT_SANITIZED 1
#define RQT_LEASE_MS  4000
#define RQT_LEASE     "4s"
#define RQT_PATIENCE  4
#else
#define RQT_SANITIZED 0
#define RQT_LEASE_MS  1000
#define RQT_LEASE     "1s"
#define RQT_PATIENCE  2
#endif

#define RQT_GRACE RQT_LEASE
#define RQT_BEAT  "200ms"

#endif
