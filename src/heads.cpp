// The part of bert::compiled that answers by heads, and trains them.

#include <bert/tasks/fill_mask.ipp>
#include <bert/tasks/head_objective.ipp>
#include <bert/tasks/head_targets.ipp>
#include <bert/tasks/head_trainer.ipp>
#include <bert/tasks/next_sentence.ipp>
#include <bert/tasks/optimizer.ipp>
#include <bert/tasks/pooled_classifier.ipp>
#include <bert/tasks/question_answering.ipp>
#include <bert/tasks/reranker.ipp>
#include <bert/tasks/text_classifier.ipp>
#include <bert/tasks/token_classifier.ipp>
#include <bert/tasks/zero_shot_classifier.ipp>
