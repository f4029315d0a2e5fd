# Joins the Lua sources into one Redis Function library and embeds it as a C string.
# Run as a script: cmake -DSRC=<dir> -DOUT=<folder> -P EmbedLua.cmake
#
# The library's name and the prefix of its functions carry a digest of the source, so two builds
# with different functions live side by side on one server and never fight over a name.
file(STRINGS ${SRC}/library.txt names)
set(body "")
foreach(name IN LISTS names)
  file(READ ${SRC}/${name}.lua text)
  string(APPEND body "-- ${name}.lua\n${text}")
endforeach()
string(SHA256 digest "${body}")
string(SUBSTRING ${digest} 0 12 digest)
set(library "refq_${digest}")
set(source "#!lua name=${library}
local LIBRARY = '${library}'
${body}")

# One C string literal per line: compilers limit the length of a single one.
string(REPLACE "\\" "\\\\" source "${source}")
string(REPLACE "\"" "\\\"" source "${source}")
string(REPLACE "\n" "\\n\"\n    \"" source "${source}")
function(write_if_different name text)
  file(WRITE ${OUT}/${name}.new "${text}")
  file(COPY_FILE ${OUT}/${name}.new ${OUT}/${name} ONLY_IF_DIFFERENT)
  file(REMOVE ${OUT}/${name}.new)
endfunction()
file(MAKE_DIRECTORY ${OUT})
write_if_different(library_name.h "/* Generated from lib/src/task/lua by EmbedLua.cmake. */
#ifndef RQI_TASK_LIBRARY_NAME_H
#define RQI_TASK_LIBRARY_NAME_H
#define RQI_LIBRARY_NAME \"${library}\"
#endif
")
write_if_different(library.c "/* Generated from lib/src/task/lua by EmbedLua.cmake. */
#include \"task/library.h\"

const char rqi_library_source[] =
    \"${source}\";
")
