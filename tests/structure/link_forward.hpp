// What a program's header declares with the names of classes alone.
#pragma once

#include <bert/fwd.hpp>

int kind_of(const bert::Error& error);  // in link_main.cpp
bool is_there(const bert::Tokenizer* tokenizer, const bert::BertModel<float>* model, const bert::Error& error);
