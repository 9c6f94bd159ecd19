"""Makes the Conan package of this tree, and builds and runs a user's program with it. Eigen and nlohmann/json are the
system's: no remote is asked.

Usage: conan_test.py SOURCE_FOLDER. Exit code 77 (skipped) where Conan 2, or one of both as a Debian package, is missing.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

source = Path(sys.argv[1])


def skip(why):
    print("skipped:", why)
    sys.exit(77)


conan = os.environ.get("CONAN") or shutil.which("conan")
if not conan:
    skip("there is no conan (pip install conan)")
version = subprocess.run([conan, "--version"], capture_output=True, text=True, check=True).stdout
if not re.search(r"\b2\.\d", version):
    skip(f"Conan 2 is needed, this is {version.strip()}")

system = {}
for name, package in (("eigen", "libeigen3-dev"), ("nlohmann_json", "nlohmann-json3-dev")):
    found = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True)
    if found.returncode != 0:
        skip(f"{package} is not installed")
    system[name] = found.stdout.split("-")[0]

with tempfile.TemporaryDirectory() as folder:
    environment = {**os.environ, "CONAN_HOME": folder}

    def run(*arguments):
        return subprocess.run([conan, *arguments], env=environment, check=True, capture_output=True, text=True).stdout

    run("profile", "detect")
    run("remote", "disable", "*")
    profile = Path(run("profile", "path", "default").strip())
    settings = re.sub(r"compiler\.cppstd=.*", "compiler.cppstd=17", profile.read_text())
    requires = "".join(f"{name}/{version}\n" for name, version in system.items())
    # What is built stays out of the source tree, and is not optimised: what counts is that it builds.
    conf = f"tools.cmake.cmake_layout:test_folder={folder}/test\ntools.cmake.cmaketoolchain:user_presets=\n"
    conf += 'tools.build:cxxflags=["-O0"]\n'
    profile.write_text(f"{settings}\n[platform_requires]\n{requires}\n[conf]\n{conf}")
    result = subprocess.run([conan, "create", source / "packaging" / "conan"], env=environment)
    if result.returncode != 0:
        sys.exit("conan create failed")
    header = (source / "include" / "bert" / "version.hpp").read_text()
    version = ".".join(re.search(rf"VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))
    if f"bert-hpp/{version}" not in run("list", "bert-hpp/*"):
        sys.exit(f"the package is not of version {version}")
