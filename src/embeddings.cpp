// The part of bert::compiled that embeds, and works on embeddings.

#include <bert/tasks/colbert.ipp>
#include <bert/tasks/community_detection.ipp>
#include <bert/tasks/convert.ipp>
#include <bert/tasks/diversity.ipp>
#include <bert/tasks/embedding_quantization.ipp>
#include <bert/tasks/explain/attention_rollout.ipp>
#include <bert/tasks/explain/contributions.ipp>
#include <bert/tasks/explain/pca.ipp>
#include <bert/tasks/keywords.ipp>
#include <bert/tasks/lexrank.ipp>
#include <bert/tasks/paraphrase_mining.ipp>
#include <bert/tasks/scores.ipp>
#include <bert/tasks/semantic_search.ipp>
#include <bert/tasks/sentence_encoder.ipp>
#include <bert/tasks/similarity.ipp>
#include <bert/tasks/splade.ipp>
#include <bert/tasks/summarizer.ipp>
#include <bert/tasks/task_model.ipp>
#include <bert/tasks/verification.ipp>
#include <bert/tasks/verify.ipp>
