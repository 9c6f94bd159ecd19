"""The Conan recipe: builds the source tree it is in.

    conan create packaging/conan --build=missing

The packages eigen and nlohmann_json come from Conan's remotes, or from the system where the profile says so under
[platform_requires].
"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class BertHpp(ConanFile):
    name = "bert-hpp"
    description = "BERT on a CPU, from C++ headers"
    license = "Apache-2.0"
    topics = ("bert", "embeddings", "nlp", "transformers", "header-only")
    package_type = "static-library"
    settings = "os", "arch", "compiler", "build_type"

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        header = load(self, os.path.join(self._root, "include", "bert", "version.hpp"))
        self.version = ".".join(
            re.search(rf"#define BERT_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH")
        )

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*", "third_party/CMakeLists.txt"):
            copy(self, pattern, self._root, self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        # The headers are part of the interface.
        self.requires("eigen/[>=3.4 <4]", transitive_headers=True)
        self.requires("nlohmann_json/[>=3.11 <4]", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 17)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "EXAMPLES", "CLI"):
            toolchain.cache_variables[f"BERT_BUILD_{part}"] = False
        toolchain.cache_variables["FETCHCONTENT_FULLY_DISCONNECTED"] = True
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        # CMake finds the package's own bertConfig.cmake, which finds Eigen and nlohmann/json, Conan's or the system's.
        self.cpp_info.set_property("cmake_find_mode", "none")
        headers = self.cpp_info.components["headers"]
        headers.set_property("pkg_config_name", "bert")
        headers.builddirs = [os.path.join("lib", "cmake", "bert")]
        headers.libdirs = []
        if self.settings.os in ("Linux", "FreeBSD"):
            headers.system_libs = ["pthread"]
        # What the profile takes from the system is no dependency here.
        known = {dependency.ref.name for dependency in self.dependencies.host.values()}
        headers.requires = [f"{name}::{name}" for name in ("eigen", "nlohmann_json") if name in known]
        compiled = self.cpp_info.components["compiled"]
        compiled.set_property("pkg_config_name", "bert-compiled")
        compiled.libs = ["bert_compiled"]
        compiled.defines = ["BERT_COMPILED"]
        compiled.requires = ["headers"]
