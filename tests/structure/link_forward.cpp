// The translation unit of the link test that includes <bert/fwd.hpp> alone.
#include "link_forward.hpp"

bool is_there(const bert::Tokenizer* tokenizer, const bert::BertModel<float>* model, const bert::Error& error) {
    return !tokenizer && !model && kind_of(error) == 2;
}
