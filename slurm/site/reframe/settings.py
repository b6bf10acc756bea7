# SPDX-License-Identifier: BSD-3-Clause
# The smallest site: this machine, without a batch system. Replace it with your site's own.
site_configuration = {
    "systems": [{"name": "here", "hostnames": [".*"], "modules_system": "nomod",
                 "partitions": [{"name": "local", "scheduler": "local", "launcher": "local", "environs": ["none"]}]}],
    "environments": [{"name": "none", "cc": "", "cxx": "", "ftn": ""}],
}
