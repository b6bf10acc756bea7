# SPDX-License-Identifier: BSD-3-Clause
# A Spack repository's packages/quantimed/package.py. `git = "file:///…"` is for a clone on this machine; put the address
# in that your site gets sources from.
from spack.package import *


class Quantimed(CMakePackage):
    """Decentralized SGD under stragglers and narrow links, measured: virtual and real time, HDF5 traces."""

    homepage = "file:///opt/src/quantimed"
    git = "file:///opt/src/quantimed"

    license("BSD-3-Clause", checked_by="quantimed")

    version("main", branch="main")

    variant("native", default=True, description="Compile for the instructions of the target")
    variant("report", default=True, description="Python packages of the report and of studies")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.22:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("boost@1.74:+program_options")
    depends_on("bzip2")
    depends_on("fmt@9:")
    depends_on("hdf5@1.10:~mpi")
    depends_on("hwloc@2:")
    depends_on("nlohmann-json@3.10:")
    depends_on("openblas threads=pthreads")
    depends_on("random123")
    depends_on("xxhash")
    depends_on("xz")
    depends_on("zlib-api")
    depends_on("googletest+gmock", type="build")
    depends_on("benchmark", type="build")
    with when("+report"):
        depends_on("python@3.10:", type="run")
        depends_on("py-h5py", type="run")
        depends_on("py-numpy", type="run")
        depends_on("py-matplotlib", type="run")
        depends_on("py-jinja2", type="run")

    conflicts("%gcc@:11", msg="needs the coroutines of GCC 12")

    def cmake_args(self):
        return [self.define_from_variant("QUANTIMED_NATIVE", "native")]

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        quantimed = Executable(self.prefix.bin.quantimed)
        quantimed("run", "--dataset", "digits", "--nodes", "4", "--iterations", "20", "--output", "smoke.h5", "--quiet")
        quantimed("verify", "smoke.h5")
