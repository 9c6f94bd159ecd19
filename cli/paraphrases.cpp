// bert paraphrases and bert cluster: texts that say the same, in pairs and in groups, as JSON lines.
#include "commands.hpp"
#include "encoder_options.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace {

struct ParaphraseOptions {
    std::string folder;
    bert::SentenceEncoderOptions encoder;
    InputOptions input;
    bert::ParaphraseMiningOptions mining;
    bert::CommunityOptions communities;
    float min_score = -1;
};

/// A text of the input: its place and its record.
Record text_record(const Input& input, bert::Index row) {
    Record record = {{"corpus_id", row}};
    record["document"] = input.records[static_cast<std::size_t>(row)];
    return record;
}

void run_paraphrases(const ParaphraseOptions& options) {
    const bert::SentenceEncoder encoder(options.folder, options.encoder);
    const Input input = read_input(options.input);
    Output output("");
    for (const auto& pair : bert::paraphrase_mining(encoder.encode(input.texts), options.mining)) {
        if (pair.score < options.min_score) break;
        output.write_line({{"score", score_of(pair.score)},
                           {"texts", {text_record(input, pair.first), text_record(input, pair.second)}}});
    }
    output.commit();
}

void run_cluster(const ParaphraseOptions& options) {
    const bert::SentenceEncoder encoder(options.folder, options.encoder);
    const Input input = read_input(options.input);
    Output output("");
    for (const auto& community : bert::community_detection(encoder.encode(input.texts), options.communities)) {
        Record texts = Record::array();
        for (const bert::Index row : community) texts.push_back(text_record(input, row));
        output.write_line({{"size", community.size()}, {"texts", texts}});
    }
    output.commit();
}

}  // namespace

void add_paraphrases(CLI::App& app) {
    const auto options = std::make_shared<ParaphraseOptions>();
    CLI::App& command = *app.add_subcommand("paraphrases", "Find the pairs of texts that are most alike in meaning");
    add_encoder_options(command, options->folder, options->encoder);
    add_input_options(command, options->input);
    command.add_option("--top-k", options->mining.top_k, "Neighbours of each text to look at")->capture_default_str();
    command.add_option("-n,--max-pairs", options->mining.max_pairs, "Most pairs")->capture_default_str();
    command.add_option("--min-score", options->min_score, "Least cosine of a pair")->capture_default_str();
    command.footer(
        R"(Each line is a pair, best first: {"score": ..., "texts": [{"corpus_id": ..., "document": ...}, ...]}.

  bert paraphrases all-MiniLM-L6-v2 questions.txt --min-score 0.8)");
    command.callback([options] { run_paraphrases(*options); });
}

void add_cluster(CLI::App& app) {
    const auto options = std::make_shared<ParaphraseOptions>();
    CLI::App& command = *app.add_subcommand("cluster", "Group texts that are alike in meaning");
    add_encoder_options(command, options->folder, options->encoder);
    add_input_options(command, options->input);
    command.add_option("--threshold", options->communities.threshold, "Least cosine with the centre of a group")
        ->capture_default_str();
    command.add_option("--min-size", options->communities.min_community_size, "Least number of texts of a group")
        ->capture_default_str();
    command.footer(
        R"(Each line is a group, largest first, its centre first: {"size": ..., "texts": [{"corpus_id": ..., "document": ...}, ...]}.
Texts of no group are left out.

  bert cluster all-MiniLM-L6-v2 questions.txt --threshold 0.7 --min-size 3)");
    command.callback([options] { run_cluster(*options); });
}
