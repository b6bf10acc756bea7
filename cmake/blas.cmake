# SPDX-License-Identifier: BSD-3-Clause
# The library of matrix products: any with CBLAS. Sets QUANTIMED_BLAS_LIBRARIES, QUANTIMED_BLAS_DIR, and
# QUANTIMED_BLAS_INCLUDE where its headers are not on the usual path. What the library is, and whether it keeps to the
# program's rules, it is asked when the program starts (src/blas/library.cpp). Code is told where it is not Debian's
# OpenBLAS (QUANTIMED_OTHER_BLAS), and where no OpenBLAS can come along with LAPACK (QUANTIMED_WITHOUT_OPENBLAS).
set(QUANTIMED_BLAS openblas CACHE STRING "Matrix products: openblas, blis, mkl, or the path of a library that has CBLAS")
set(QUANTIMED_BLAS_INCLUDE "")
set(QUANTIMED_BLAS_DEFINITIONS "")

# What was found for another choice is forgotten.
if(NOT QUANTIMED_BLAS STREQUAL QUANTIMED_BLAS_BEFORE)
  unset(QUANTIMED_BLAS_LIBRARY CACHE)
  unset(QUANTIMED_LAPACK CACHE)
  set(QUANTIMED_BLAS_BEFORE ${QUANTIMED_BLAS} CACHE INTERNAL "")
endif()

if(QUANTIMED_BLAS STREQUAL "openblas")
  # Node threads call OpenBLAS side by side, one thread each. Debian's serial build shares one buffer among all callers
  # and gives wrong products then, so the pthread build is looked for first; use_one_thread() refuses the serial one.
  file(GLOB hints /usr/lib/*/openblas-pthread)
  find_library(QUANTIMED_BLAS_LIBRARY openblas HINTS ${hints} REQUIRED)
elseif(QUANTIMED_BLAS STREQUAL "blis")
  file(GLOB hints /usr/lib/*/blis-pthread /usr/lib/*/blis-openmp)
  find_library(QUANTIMED_BLAS_LIBRARY NAMES blis-mt blis HINTS ${hints} REQUIRED)
elseif(QUANTIMED_BLAS STREQUAL "mkl")
  find_library(QUANTIMED_BLAS_LIBRARY mkl_rt HINTS $ENV{MKLROOT}/lib $ENV{MKLROOT}/lib/intel64 REQUIRED)
elseif(EXISTS "${QUANTIMED_BLAS}" AND NOT IS_DIRECTORY "${QUANTIMED_BLAS}")
  set(QUANTIMED_BLAS_LIBRARY "${QUANTIMED_BLAS}")
else()
  message(FATAL_ERROR "QUANTIMED_BLAS=${QUANTIMED_BLAS}: give openblas, blis, mkl, or the path of a library that has CBLAS")
endif()

# A library is linked as it is; where it has no LAPACK, the one that is installed (which may bring a BLAS of its own
# along, whose products are not used: the first on the line is).
include(CheckCXXSourceCompiles)
function(quantimed_links variable symbols)
  set(text "int main() { return 0")
  set(declarations "")
  foreach(symbol ${symbols})
    string(APPEND declarations "extern \"C\" void ${symbol}();\n")
    string(APPEND text " + (reinterpret_cast<long>(&${symbol}) == 1)")
  endforeach()
  set(CMAKE_REQUIRED_LIBRARIES ${ARGN})
  set(CMAKE_REQUIRED_QUIET ON)
  unset(${variable} CACHE)
  check_cxx_source_compiles("${declarations}${text}; }" ${variable})
endfunction()

get_filename_component(QUANTIMED_BLAS_DIR "${QUANTIMED_BLAS_LIBRARY}" DIRECTORY)
set(QUANTIMED_BLAS_LIBRARIES ${QUANTIMED_BLAS_LIBRARY})
if(QUANTIMED_BLAS STREQUAL "openblas")
  file(GLOB hints /usr/include/*/openblas-pthread)
  find_path(OPENBLAS_INCLUDE_DIR openblas_config.h HINTS ${hints} PATH_SUFFIXES openblas REQUIRED)
  set(QUANTIMED_BLAS_INCLUDE ${OPENBLAS_INCLUDE_DIR})
else()
  quantimed_links(QUANTIMED_BLAS_HAS_CBLAS "cblas_sgemm;cblas_sgemv" ${QUANTIMED_BLAS_LIBRARY})
  if(NOT QUANTIMED_BLAS_HAS_CBLAS)
    message(FATAL_ERROR "QUANTIMED_BLAS=${QUANTIMED_BLAS}: ${QUANTIMED_BLAS_LIBRARY} has no CBLAS (cblas_sgemm)")
  endif()
  quantimed_links(QUANTIMED_BLAS_HAS_LAPACK dsyev_ ${QUANTIMED_BLAS_LIBRARY})
  if(NOT QUANTIMED_BLAS_HAS_LAPACK)
    file(GLOB hints /usr/lib/*/lapack)
    find_library(QUANTIMED_LAPACK lapack HINTS ${hints} REQUIRED)
    list(APPEND QUANTIMED_BLAS_LIBRARIES ${QUANTIMED_LAPACK})
  endif()
  set(QUANTIMED_BLAS_DEFINITIONS QUANTIMED_OTHER_BLAS)
  if(QUANTIMED_BLAS_HAS_LAPACK AND NOT QUANTIMED_BLAS_LIBRARY MATCHES openblas)
    list(APPEND QUANTIMED_BLAS_DEFINITIONS QUANTIMED_WITHOUT_OPENBLAS)
  endif()
  message(STATUS "BLAS: ${QUANTIMED_BLAS_LIBRARIES}")
endif()
