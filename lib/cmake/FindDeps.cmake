# The one place that knows what the libraries are called in Debian 12 (bookworm) and 13 (trixie).
# Everything comes from Debian packages; `deploy/packages ensure build` installs them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(REFQ_PC_MODULES hiredis libevent_core libevent_extra libevent_openssl openssl jansson
  libsodium libpcre2-8 sqlite3)
foreach(module IN LISTS REFQ_PC_MODULES)
  pkg_check_modules(PC_${module} IMPORTED_TARGET ${module})
  if(NOT PC_${module}_FOUND)
    list(APPEND REFQ_DEPS_MISSING ${module})
  endif()
  string(APPEND REFQ_DEPS_FOUND "${module} ${PC_${module}_VERSION}, ")
endforeach()
pkg_check_modules(PC_yaml IMPORTED_TARGET yaml-0.1)
if(NOT PC_yaml_FOUND)
  list(APPEND REFQ_DEPS_MISSING yaml-0.1)
endif()

# trixie: package libmsgpack-c-dev, CMake package msgpack-c. bookworm: libmsgpack-dev, msgpack, whose
# target is msgpackc. (trixie's pkg-config file has a relative include folder, which pkg_check_modules
# refuses, so CMake's own package files are used.)
find_package(msgpack-c CONFIG QUIET)
if(TARGET msgpack-c)
  add_library(refq_msgpack ALIAS msgpack-c)
  set(REFQ_MSGPACK_PC msgpack-c)
else()
  find_package(msgpack CONFIG QUIET)
  if(TARGET msgpackc)
    add_library(refq_msgpack ALIAS msgpackc)
    set(REFQ_MSGPACK_PC msgpack)
  else()
    list(APPEND REFQ_DEPS_MISSING msgpack-c)
  endif()
endif()

if(REFQ_DEPS_MISSING)
  list(JOIN REFQ_DEPS_MISSING ", " missing)
  message(FATAL_ERROR
    "missing libraries: ${missing}. On Debian, `deploy/packages ensure build` installs them.")
endif()
string(APPEND REFQ_DEPS_FOUND "${REFQ_MSGPACK_PC}, yaml ${PC_yaml_VERSION}")
