# SPDX-License-Identifier: BSD-3-Clause
# What a program was built from, and how. Included, it makes the library quantimed_build_info and a step of every build;
# the step is this file again, as a script: it writes generated/build_info.cpp, and leaves it alone where its text is
# the same, so that nothing is linked again.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  add_custom_target(quantimed_build_text
    COMMAND ${CMAKE_COMMAND} -Dsource=${PROJECT_SOURCE_DIR} -Dbinary=${PROJECT_BINARY_DIR} -Dversion=${PROJECT_VERSION}
            -P ${CMAKE_CURRENT_LIST_FILE}
    BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/build_info.cpp COMMENT "" VERBATIM)
  add_library(quantimed_build_info STATIC ${PROJECT_BINARY_DIR}/generated/build_info.cpp)
  target_include_directories(quantimed_build_info PUBLIC ${PROJECT_SOURCE_DIR}/src)
  add_dependencies(quantimed_build_info quantimed_build_text)
  return()
endif()

cmake_minimum_required(VERSION 3.22)
get_filename_component(source "${source}" REALPATH)
find_program(git git)

# asked(VARIABLE ARGUMENTS...): what git says of our sources. The folder may belong to somebody else, the repository may
# be read-only, and the caller's own git variables speak of another one.
function(asked variable)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=GIT_DIR --unset=GIT_WORK_TREE --unset=GIT_INDEX_FILE
                          ${git} --no-optional-locks -c safe.directory=* -c core.fsmonitor=false -C ${source} ${ARGN}
                  OUTPUT_VARIABLE answer RESULT_VARIABLE status OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT status EQUAL 0)
    set(answer "git failed")
  endif()
  set(${variable} "${answer}" PARENT_SCOPE)
endfunction()

# ---- the commit -----------------------------------------------------------------------------------
# Only of a repository whose top is here: a tarball may have been unpacked inside another one.
set(commit unknown)
if(git)
  asked(top rev-parse --show-toplevel)
  get_filename_component(top "${top}" REALPATH)
  if(top STREQUAL source)
    asked(commit describe --always --abbrev=12 --exclude=*)
    # What is compiled, new files too; a changed page of results is no other program.
    asked(changes status --porcelain --untracked-files=all -- src cmake CMakeLists.txt CMakePresets.json)
    if(commit STREQUAL "git failed")
      set(commit unknown)
    elseif(changes)  # … or git failed, and nobody knows
      string(APPEND commit -dirty)
    endif()
  endif()
endif()

# ---- the flags ------------------------------------------------------------------------------------
# As main.cpp gets them. They come with CMake's own list of commands, which holds all that a generator adds. Where several
# targets compile it (the program, the library that is installed), what is kept here is the same for all of them.
set(flags unknown)
if(EXISTS ${binary}/compile_commands.json)
  file(STRINGS ${binary}/compile_commands.json lines REGEX [["command": .*/src/main\.cpp(\\")?"]])
  list(LENGTH lines found)
  if(found GREATER 0)
    list(GET lines 0 line)
    string(REGEX REPLACE [[^ *"command": "|",?$]] "" command "${line}")
    string(REPLACE [[\\]] [[\]] command "${command}")
    string(REPLACE [[\"]] [["]] command "${command}")
    separate_arguments(words UNIX_COMMAND "${command}")
    set(flags)
    set(skip FALSE)
    foreach(word IN LISTS words)
      if(skip)
        set(skip FALSE)
      elseif(word MATCHES "^(-I|-isystem|-o|-c|-MF|-MT)$")
        set(skip TRUE)
      elseif(word MATCHES "^-" AND NOT word MATCHES "^-(I|-param=ggc|fmacro-prefix-map=|W[^lap]|W[lap][^,]|isystem|M)|^-D(FMT|BOOST|H5|QUANTIMED_TESTS)_")
        list(APPEND flags "${word}")
      endif()
    endforeach()
    list(JOIN flags " " flags)
  endif()
endif()
set(instructions portable)
if(flags STREQUAL unknown)
  set(instructions unknown)
elseif(flags MATCHES "-m(arch|cpu)=([^ ]*)")
  set(instructions ${CMAKE_MATCH_2})
endif()
set(sanitizers)
if(flags MATCHES "-fsanitize=([^ ]*)")
  set(sanitizers ${CMAKE_MATCH_1})
endif()

foreach(text version commit flags instructions sanitizers)
  string(REPLACE [[\]] [[\\]] ${text} "${${text}}")
  string(REPLACE [["]] [[\"]] ${text} "${${text}}")
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/build_info.cpp.in ${binary}/generated/build_info.cpp @ONLY)
