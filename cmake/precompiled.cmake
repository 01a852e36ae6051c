# What nearly every source includes, compiled once: a build with sanitizers takes three fifths of the time with it. The program's own
# sources do without in an optimised build, which so finds one that does not include what it uses.
if(HIKYAKU_SANITIZE)
  option(HIKYAKU_PRECOMPILED "Precompiled headers for all sources, not for tests alone" ON)
else()
  option(HIKYAKU_PRECOMPILED "Precompiled headers for all sources, not for tests alone" OFF)
endif()

set(precompiled_headers <algorithm> <array> <chrono> <cstdint> <cstdlib> <filesystem> <functional> <map> <memory> <mutex>
  <optional> <set> <span> <string> <string_view> <utility> <vector> <fmt/format.h>
  "${CMAKE_SOURCE_DIR}/src/base/async.h" "${CMAKE_SOURCE_DIR}/src/base/log.h" "${CMAKE_SOURCE_DIR}/src/base/text.h")

# precompile TARGET [tests]: TARGET uses them; those of tests have other options.
function(precompile target)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR NOT (HIKYAKU_PRECOMPILED OR ARGN))
    return()
  endif()
  set(from precompiled ${ARGN})
  list(JOIN from _ from)
  if(NOT TARGET ${from})
    file(WRITE ${CMAKE_BINARY_DIR}/${from}.cc "")
    add_library(${from} OBJECT ${CMAKE_BINARY_DIR}/${from}.cc)
    target_include_directories(${from} PRIVATE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${from} PRIVATE PkgConfig::fmt)
    set(headers ${precompiled_headers})
    if(ARGN)
      list(APPEND headers <doctest/doctest.h>)
      set_target_properties(${from} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(${from} PRIVATE ${TEST_OPTIONS} -fPIE)  # as programs are
    endif()
    target_precompile_headers(${from} PRIVATE ${headers})
    # A time in it would make every one another for the compiler cache.
    target_compile_options(${from} PRIVATE -Xclang -fno-pch-timestamp)
  endif()
  target_precompile_headers(${target} REUSE_FROM ${from})
  target_compile_options(${target} PRIVATE -Xclang -fno-pch-timestamp)
endfunction()
