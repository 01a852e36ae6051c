# What nearly every source includes, compiled once. Only where it saves most: builds with sanitizers, which parse these headers 750
# times otherwise. An optimised build does without, and so finds a source that does not include what it uses.
if(HIKYAKU_SANITIZE)
  option(HIKYAKU_PRECOMPILED "Precompiled headers" ON)
else()
  option(HIKYAKU_PRECOMPILED "Precompiled headers" OFF)
endif()

set(precompiled_headers <algorithm> <array> <chrono> <cstdint> <cstdlib> <filesystem> <functional> <map> <memory> <mutex>
  <optional> <set> <span> <string> <string_view> <utility> <vector> <fmt/format.h>
  "${CMAKE_SOURCE_DIR}/src/base/async.h" "${CMAKE_SOURCE_DIR}/src/base/log.h" "${CMAKE_SOURCE_DIR}/src/base/text.h")

# precompile TARGET [tests]: TARGET uses them; those of tests have other options.
function(precompile target)
  if(NOT HIKYAKU_PRECOMPILED)
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
      target_compile_options(${from} PRIVATE ${TEST_OPTIONS})
    endif()
    target_precompile_headers(${from} PRIVATE ${headers})
    target_compile_options(${from} PRIVATE -Xclang -fno-pch-timestamp)
  endif()
  target_precompile_headers(${target} REUSE_FROM ${from})
  target_compile_options(${target} PRIVATE -Xclang -fno-pch-timestamp)
endfunction()
