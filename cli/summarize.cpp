// bert summarize and bert keywords: the sentences and phrases that say most of a text.
#include "commands.hpp"
#include "encoder_options.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

struct SummarizeOptions {
    std::string folder;
    bert::SentenceEncoderOptions encoder;
    InputOptions input;
    bert::SummaryOptions summary;
    bool plain = false;
};

void run_summarize(const SummarizeOptions& options) {
    const bert::Summarizer summarizer(options.folder, options.encoder);
    const Input input = read_input(options.input);
    Output output("");
    for (std::size_t i = 0; i < input.texts.size(); ++i) {
        const bert::Summary summary = summarizer.summarize(input.texts[i], options.summary);
        if (options.plain) {
            output.write(summary.text() + "\n");
            continue;
        }
        Record record = input.records[i];
        Record sentences = Record::array();
        for (const bert::SummarySentence& sentence : summary.sentences) {
            sentences.push_back({{"text", sentence.text},
                                 {"begin", sentence.span.begin},
                                 {"end", sentence.span.end},
                                 {"index", sentence.index},
                                 {"centrality", score_of(static_cast<float>(sentence.centrality))}});
        }
        record["total_sentences"] = summary.total_sentences;
        record["summary"] = std::move(sentences);
        output.write_line(record);
    }
    output.commit();
}

struct KeywordsOptions {
    std::string folder;
    bert::SentenceEncoderOptions encoder;
    InputOptions input;
    bert::KeywordOptions keywords;
    std::vector<std::size_t> ngrams = {1, 1};
    std::string stop_words = "english";
};

void run_summarize(KeywordsOptions& options) {
    const bert::KeywordExtractor extractor(options.folder, options.encoder);
    options.keywords.min_ngram = options.ngrams.front();
    options.keywords.max_ngram = options.ngrams.back();
    if (options.stop_words == "none") {
        options.keywords.stop_words.clear();
    } else if (options.stop_words != "english") {
        InputOptions words;
        words.files = {options.stop_words};
        options.keywords.stop_words = read_input(words).texts;
    }
    const Input input = read_input(options.input);
    Output output("");
    for (std::size_t i = 0; i < input.texts.size(); ++i) {
        const bert::KeywordResult result = extractor.extract(input.texts[i], options.keywords);
        Record record = input.records[i];
        Record keywords = Record::array();
        for (const bert::Keyword& keyword : result.keywords) {
            Record spans = Record::array();
            for (const bert::Span& span : keyword.spans) spans.push_back({span.begin, span.end});
            keywords.push_back(
                {{"text", keyword.text}, {"score", score_of(keyword.score)}, {"spans", std::move(spans)}});
        }
        if (result.truncated) record["truncated"] = true;
        record["keywords"] = std::move(keywords);
        output.write_line(record);
    }
    output.commit();
}

}  // namespace

void add_summarize(CLI::App& app) {
    const auto options = std::make_shared<SummarizeOptions>();
    options->input.plain = "whole";
    CLI::App& command = *app.add_subcommand("summarize", "Choose the sentences that say most of a text");
    add_encoder_options(command, options->folder, options->encoder);
    add_input_options(command, options->input);
    command.add_option("-n,--sentences", options->summary.sentences, "Most sentences of a summary")
        ->capture_default_str();
    command.add_option("--ratio", options->summary.ratio, "Instead: a share of the text's sentences");
    command.add_option("--diversity", options->summary.diversity, "How unlike each other they must be, from 0 to 1")
        ->capture_default_str();
    command.add_option("--min-tokens", options->summary.min_tokens, "Leave out sentences of fewer tokens");
    command
        .add_option("--abbreviation", options->summary.segmentation.abbreviations,
                    "Word whose full stop ends no sentence, in lower case; may be given several times")
        ->allow_extra_args(false);
    command.add_flag("--plain", options->plain, "Write the sentences alone, not JSON");
    command.footer(
        R"(A text becomes {..., "summary": [{"text": ..., "begin": ..., "end": ...}, ...]}, positions being bytes.

  bert summarize all-MiniLM-L6-v2 report.txt -n 5 --plain)");
    command.callback([options] { run_summarize(*options); });
}

void add_keywords(CLI::App& app) {
    const auto options = std::make_shared<KeywordsOptions>();
    options->input.plain = "whole";
    CLI::App& command = *app.add_subcommand("keywords", "Find the words and phrases closest to a text's meaning");
    add_encoder_options(command, options->folder, options->encoder);
    add_input_options(command, options->input);
    command.add_option("-n,--top-n", options->keywords.top_n, "Most keywords of a text")->capture_default_str();
    command.add_option("--ngrams", options->ngrams, "Least and most words of a keyword (default: 1 1)")
        ->option_text("MIN MAX")
        ->expected(2)
        ->allow_extra_args(false);
    command.add_option("--stop-words", options->stop_words, "english, none, or a file of words in lower case")
        ->capture_default_str();
    command.add_option("--method", options->keywords.method, "none, mmr or max-sum: how they are kept apart")
        ->option_text("NAME")
        ->transform(CLI::CheckedTransformer(
                        std::map<std::string, bert::KeywordDiversity>{{"none", bert::KeywordDiversity::none},
                                                                      {"mmr", bert::KeywordDiversity::mmr},
                                                                      {"max-sum", bert::KeywordDiversity::max_sum}})
                        .description(""));
    command.add_option("--diversity", options->keywords.diversity, "Of mmr, from 0 to 1")->capture_default_str();
    command.add_option("--candidates", options->keywords.candidates, "Of max-sum: how many to choose from")
        ->capture_default_str();
    command.footer(
        R"(A text becomes {..., "keywords": [{"text": ..., "score": ..., "spans": [[begin, end], ...]}, ...]}.

  bert keywords all-MiniLM-L6-v2 report.txt --ngrams 1 2 --method mmr)");
    command.callback([options] { run_summarize(*options); });
}
