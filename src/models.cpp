// The part of bert::compiled that opens and runs models, for every type of weights.

#include <bert/model/any_bert_model.ipp>
#include <bert/model/any_decoder_model.ipp>
#include <bert/model/bert_model.ipp>
#include <bert/model/convert.ipp>
#include <bert/model/decoder_model.ipp>
#include <bert/model/dense.ipp>
#include <bert/model/task_heads.ipp>

#include <cstdint>

BERT_NAMESPACE_BEGIN

template class BertModel<float>;
template class BertModel<bfloat16>;
template class BertModel<std::int8_t>;
template class BertModel<double>;

template class DecoderModel<float>;
template class DecoderModel<bfloat16>;
template class DecoderModel<std::int8_t>;
template class DecoderModel<double>;

BERT_NAMESPACE_END
