// The part of bert::compiled that generates text.

#include <bert/tasks/causal_lm.ipp>
#include <bert/tasks/generation_options.ipp>
#include <bert/tasks/language_model.ipp>
#include <bert/tasks/seq2seq.ipp>
