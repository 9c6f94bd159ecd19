// The JSON files of a model, be it a folder or one file. Depends on io.
#pragma once

#include <bert/io/json.hpp>
#include <bert/io/model_path.hpp>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Reads a file that holds one JSON object. Errors: file, format.
inline JsonDocument read_json_object(const ModelPath& path) {
    return parse_json_object(read_model_file(path, json_limit), path);
}

}  // namespace detail

BERT_NAMESPACE_END
