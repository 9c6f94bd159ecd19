// The part of bert::compiled that reads and writes files, and starts threads.

#include <bert/core/mapped_file.ipp>
#include <bert/core/thread_pool.ipp>
#include <bert/io/atomic_file.ipp>
#include <bert/io/checkpoint.ipp>
#include <bert/io/colbert_config.ipp>
#include <bert/io/converted_model.ipp>
#include <bert/io/cross_encoder_config.ipp>
#include <bert/io/decoder_config.ipp>
#include <bert/io/generation_config.ipp>
#include <bert/io/gguf.ipp>
#include <bert/io/gguf_model.ipp>
#include <bert/io/model_config.ipp>
#include <bert/io/model_path.ipp>
#include <bert/io/model_writer.ipp>
#include <bert/io/packed_vocabulary.ipp>
#include <bert/io/safetensors.ipp>
#include <bert/io/safetensors_writer.ipp>
#include <bert/io/sentence_config.ipp>
#include <bert/io/splade_config.ipp>
#include <bert/io/tokenizer_folder.ipp>
#include <bert/io/training_file.ipp>
#include <bert/io/verification.ipp>
