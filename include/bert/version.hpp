// The version of bert.hpp, as macros. CMake reads it from here, so this file includes nothing and is the one place to
// change it.
#pragma once

#define BERT_VERSION_MAJOR 0
#define BERT_VERSION_MINOR 1
#define BERT_VERSION_PATCH 0
