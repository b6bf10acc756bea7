# SPDX-License-Identifier: BSD-3-Clause
# `cmake --install`: the program, its library for algorithms from outside of this repository, report, studies, SLURM
# scripts, manual page and completion. All of it may be moved together; share/quantimed is laid out as the repository is.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(share ${CMAKE_INSTALL_DATADIR}/quantimed)

# ---- program ----------------------------------------------------------------------------------------
set_target_properties(quantimed quantimed-double PROPERTIES INSTALL_RPATH "${QUANTIMED_BLAS_DIR}")  # the pthread build is not on the usual path
install(TARGETS quantimed RUNTIME)
install(TARGETS quantimed-double RUNTIME OPTIONAL)  # where it was built: `quantimed` says if it is missed

# ---- library: one archive of all modules, and main() -------------------------------------------------
get_property(targets DIRECTORY ${PROJECT_SOURCE_DIR} PROPERTY BUILDSYSTEM_TARGETS)
set(objects $<TARGET_OBJECTS:quantimed_start>)
foreach(target IN LISTS targets)
  get_target_property(type ${target} TYPE)
  if(target MATCHES "^quantimed_" AND NOT target MATCHES "_double$" AND type STREQUAL STATIC_LIBRARY)
    list(APPEND objects $<TARGET_OBJECTS:${target}>)
  endif()
endforeach()
add_library(quantimed_library STATIC src/main.cpp ${objects})
target_link_libraries(quantimed_library PRIVATE $<BUILD_INTERFACE:quantimed_flags>)
set_target_properties(quantimed_library PROPERTIES OUTPUT_NAME quantimed)
install(TARGETS quantimed_library ARCHIVE)
install(DIRECTORY src/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/quantimed FILES_MATCHING PATTERN "*.hpp")

# What a program needs beside it, as paths of this system's libraries and as flags. Code in headers must be compiled as
# the library's was.
foreach(library HWLOC XXHASH)
  list(APPEND QUANTIMED_LIBRARIES ${${library}_LINK_LIBRARIES})
endforeach()
get_target_property(program_options Boost::program_options IMPORTED_LOCATION_RELEASE)
if(NOT program_options)
  get_target_property(program_options Boost::program_options LOCATION)
endif()
get_target_property(fmt fmt::fmt LOCATION)
list(PREPEND QUANTIMED_LIBRARIES ${program_options} ${fmt} ${HDF5_C_LIBRARIES} ${QUANTIMED_BLAS_LIBRARIES} ${ZLIB_LIBRARIES}
     ${BZIP2_LIBRARIES} ${LIBLZMA_LIBRARIES})
list(REMOVE_DUPLICATES QUANTIMED_LIBRARIES)
set(QUANTIMED_OPTIONS ${OpenMP_CXX_FLAGS} -pthread)
if(QUANTIMED_NATIVE)
  list(APPEND QUANTIMED_OPTIONS -march=native)
  if(QUANTIMED_HAS_VECTOR_WIDTH)
    list(APPEND QUANTIMED_OPTIONS -mprefer-vector-width=512)
  endif()
endif()
set(QUANTIMED_INCLUDES ${RANDOM123_INCLUDE_DIR} ${QUANTIMED_BLAS_INCLUDE} ${HDF5_INCLUDE_DIRS})
list(REMOVE_DUPLICATES QUANTIMED_INCLUDES)
list(REMOVE_ITEM QUANTIMED_INCLUDES ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES})
set(QUANTIMED_LINK_OPTIONS ${OpenMP_CXX_FLAGS} -pthread -Wl,--undefined=quantimed_runs_first -Wl,-rpath,${QUANTIMED_BLAS_DIR})

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/quantimed)
configure_package_config_file(cmake/quantimed-config.cmake.in ${PROJECT_BINARY_DIR}/package/quantimed-config.cmake
  INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR share)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/quantimed-config-version.cmake COMPATIBILITY ExactVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/quantimed-config.cmake
              ${PROJECT_BINARY_DIR}/package/quantimed-config-version.cmake cmake/installed_files.cpp DESTINATION ${package})

# pkg-config's file knows where it lies itself.
file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")
foreach(list OPTIONS LINK_OPTIONS LIBRARIES)
  list(JOIN QUANTIMED_${list} " " PC_${list})
endforeach()
list(TRANSFORM QUANTIMED_INCLUDES PREPEND -I OUTPUT_VARIABLE PC_INCLUDES)
list(JOIN PC_INCLUDES " " PC_INCLUDES)
configure_file(cmake/quantimed.pc.in ${PROJECT_BINARY_DIR}/package/quantimed.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/quantimed.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# ---- report, studies, SLURM -----------------------------------------------------------------------------
set(not_installed PATTERN __pycache__ EXCLUDE PATTERN "*.egg-info" EXCLUDE)
install(DIRECTORY analysis slurm DESTINATION ${share} USE_SOURCE_PERMISSIONS ${not_installed} PATTERN screen-picture EXCLUDE)
install(DIRECTORY bench/studies bench/experiments DESTINATION ${share}/bench ${not_installed})
install(PROGRAMS bench/study DESTINATION ${share}/bench)
install(FILES datasets/README.md DESTINATION ${share}/datasets)
install(PROGRAMS datasets/fetch datasets/prepare-imagenet DESTINATION ${share}/datasets)
install(FILES README.md CHANGELOG.md CITATION.cff LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY cmake/own-algorithm DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
set(commands report:analysis/quantimed-report study:bench/study)
foreach(command submit status cancel collect)
  list(APPEND commands ${command}:slurm/${command})
endforeach()
file(RELATIVE_PATH share_from_bin /${CMAKE_INSTALL_BINDIR} /${share})
install(CODE "foreach(command ${commands})
  string(REPLACE \":\" \";\" command \${command})
  list(POP_FRONT command name)
  set(link \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/quantimed-\${name}\")
  file(REMOVE \"\${link}\")
  file(CREATE_LINK \"${share_from_bin}/\${command}\" \"\${link}\" SYMBOLIC)
endforeach()")

# ---- what the program writes of itself: manual page and completion ----------------------------------------
set(pages man:${CMAKE_INSTALL_MANDIR}/man1/quantimed.1 bash:${CMAKE_INSTALL_DATADIR}/bash-completion/completions/quantimed
          zsh:${CMAKE_INSTALL_DATADIR}/zsh/site-functions/_quantimed fish:${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d/quantimed.fish)
install(CODE "foreach(page ${pages})
  string(REPLACE \":\" \";\" page \${page})
  list(POP_FRONT page kind)
  set(file \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/\${page}\")
  message(STATUS \"Installing: \${file}\")
  execute_process(COMMAND ${CMAKE_CROSSCOMPILING_EMULATOR} \"$<TARGET_FILE:quantimed>\" completion \${kind}
                  OUTPUT_VARIABLE text RESULT_VARIABLE status ERROR_VARIABLE error)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR \"quantimed completion \${kind}: \${status} \${error}\")
  endif()
  file(WRITE \"\${file}\" \"\${text}\")
endforeach()")

# ---- .deb ------------------------------------------------------------------------------------------------
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "the quantimed authors <quantimed@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "python3, python3-h5py, python3-numpy, python3-matplotlib, python3-jinja2")
# For studies on a cluster, data frames, and algorithms of one's own.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "slurm-client, python3-pandas, g++, make, cmake, libboost-program-options-dev, libbz2-dev, libfmt-dev, \
libhdf5-dev, libhwloc-dev, liblzma-dev, libopenblas-pthread-dev, librandom123-dev, libxxhash-dev, zlib1g-dev")
include(CPack)
