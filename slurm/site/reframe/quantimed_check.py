# SPDX-License-Identifier: BSD-3-Clause
# reframe -c slurm/site/reframe/quantimed_check.py -C slurm/site/reframe/settings.py -r
# `quantimed` is found by PATH, or by a module that your settings load. What each figure is: `quantimed run --fom`.
import reframe as rfm
import reframe.utility.sanity as sn


class QuantimedBase(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    executable = "quantimed"
    algorithm = parameter(["quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"])

    @run_after("init")
    def choose(self):
        self.executable_opts = ["run", "--fom", "--overwrite", "--dataset", "digits", "--algorithm", self.algorithm,
                                "--output", "trace.h5", *self.options()]

    @sanity_function
    def is_valid(self):
        return sn.all([sn.assert_found(r"^FOM status: complete$", self.stdout), sn.assert_found(r"^FOM verdict: VALID$", self.stdout)])

    def fom(self, name):
        return sn.extractsingle(rf"^FOM {name}: (\S+) ", self.stdout, 1, float)


@rfm.simple_test
class QuantimedVirtual(QuantimedBase):
    """The same build gives the same bits on any machine: what is compared is its wall time."""
    descr = "quantimed in virtual time"

    def options(self):
        return ["--nodes", "10", "--iterations", "100"]

    @performance_function("s")
    def wall_time(self):
        return self.fom("wall_time_s")

    @performance_function("1")
    def final_loss(self):
        return self.fom("final_loss")


@rfm.simple_test
class QuantimedRealTime(QuantimedBase):
    """A node on each core of an exclusive node."""
    descr = "quantimed on the cores of a node"
    exclusive_access = True

    def options(self):
        return ["--engine", "threads", "--graph", "complete", "--iterations", "2000"]

    @performance_function("samples/s")
    def samples(self):
        return self.fom("samples_per_second")

    @performance_function("iterations/s")
    def rounds(self):
        return self.fom("iterations_per_second")

    @performance_function("1")
    def waiting(self):
        return self.fom("wait_share")
