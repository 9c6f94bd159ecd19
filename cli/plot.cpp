// bert plot: a map of texts, or the similarities of all their pairs, as a page to open in a browser.
#include "commands.hpp"
#include "encoder_options.hpp"
#include "plot_pages.hpp"
#include "records.hpp"
#include "store.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

struct PlotOptions {
    std::string place;  ///< a store or a model folder
    bert::SentenceEncoderOptions encoder;
    InputOptions input;
    bool heat_map = false;
    std::string colour_field;
    bool clusters = false;
    bert::CommunityOptions communities{0.6f, 3};
    std::string output;
    bool json = false;
    bool force = false;
};

/// Texts with their embeddings.
struct Plotted {
    Input input;
    bert::Matrix vectors;
    bert::Similarity measure = bert::Similarity::cosine;
};

void check_count(std::size_t count, const PlotOptions& options) {
    // Cells of a heat map are a few pixels at least; a page of more points takes a browser seconds to draw.
    const std::size_t most = options.heat_map ? 1000 : 100000;
    if (count == 0) throw bert::Error(bert::ErrorKind::input, "there are no texts to draw");
    if (count <= most) return;
    throw bert::Error(bert::ErrorKind::input, std::to_string(count) + " texts; at most " + std::to_string(most) +
                                                  " can be drawn" + (options.heat_map ? " as a heat map" : ""));
}

Plotted read_plotted(const PlotOptions& options) {
    Plotted plotted;
    if (Store::is_store(options.place)) {
        if (!options.input.files.empty()) {
            throw bert::Error(bert::ErrorKind::input, options.place + " is a store: it takes no files of texts");
        }
        const Store store(options.place);
        check_count(store.manifest().documents, options);
        for (std::size_t row = 0; row < store.manifest().documents; ++row) {
            Record record = Record::parse(store.line(static_cast<bert::Index>(row)), nullptr, false);
            const auto text = record.is_object() ? record.find(store.manifest().field) : record.end();
            const bool there = record.is_object() && text != record.end() && text->is_string();
            plotted.input.texts.push_back(there ? text->get<std::string>() : std::string());
            plotted.input.records.push_back(std::move(record));
        }
        plotted.vectors = store.vectors();
        plotted.measure = store.manifest().measure;
        return plotted;
    }
    const bert::SentenceEncoder encoder(options.place, options.encoder);
    plotted.input = read_input(options.input);
    check_count(plotted.input.texts.size(), options);
    plotted.vectors = encoder.encode(plotted.input.texts);
    plotted.measure = encoder.config().similarity;
    return plotted;
}

/// Groups by name, the largest first.
PointColours grouped(const std::string& title, const std::vector<std::string>& names) {
    std::map<std::string, int> sizes;
    for (const std::string& name : names) ++sizes[name];
    std::vector<std::pair<int, std::string>> order;
    for (const auto& [name, size] : sizes) order.emplace_back(-size, name);
    std::sort(order.begin(), order.end());
    PointColours colours;
    colours.title = title;
    std::map<std::string, int> places;
    for (const auto& entry : order) {
        places[entry.second] = static_cast<int>(colours.groups.size());
        colours.groups.push_back(entry.second);
    }
    for (const std::string& name : names) colours.group_of.push_back(places[name]);
    return colours;
}

PointColours colours_by_field(const std::vector<Record>& records, const std::string& field) {
    std::vector<std::string> names;
    std::vector<double> numbers;
    std::set<double> distinct;
    bool all_numbers = true;
    bool known = false;
    for (const Record& record : records) {
        const auto value = record.is_object() ? record.find(field) : record.end();
        const bool there = record.is_object() && value != record.end() && !value->is_null();
        known = known || there;
        names.push_back(!there ? "none" : value->is_string() ? value->get<std::string>() : value->dump());
        numbers.push_back(there && value->is_number() ? value->get<double>()
                                                      : std::numeric_limits<double>::quiet_NaN());
        all_numbers = all_numbers && (!there || value->is_number());
        if (there && value->is_number()) distinct.insert(numbers.back());
    }
    if (!known) throw bert::Error(bert::ErrorKind::input, "--color-by: no text has a field \"" + field + "\"");
    constexpr std::size_t few = 9;  // numbers, such as labels, that are told apart better as groups
    if (!all_numbers || distinct.size() <= few) return grouped(field, names);
    PointColours colours;
    colours.title = field;
    colours.group_of.assign(records.size(), -1);
    colours.numbers = std::move(numbers);
    return colours;
}

/// A cluster has the name of the text in its centre.
PointColours colours_by_cluster(const Plotted& plotted, const PlotOptions& options) {
    bert::ThreadPool threads(options.encoder.threads);
    const auto communities = bert::community_detection(plotted.vectors, options.communities, &threads);
    PointColours colours;
    colours.title = "cluster";
    colours.group_of.assign(plotted.input.texts.size(), -1);
    for (const auto& community : communities) {
        for (const bert::Index row : community) {
            colours.group_of[static_cast<std::size_t>(row)] = static_cast<int>(colours.groups.size());
        }
        colours.groups.push_back(plotted.input.texts[static_cast<std::size_t>(community.front())]);
    }
    return colours;
}

void write_map(const PlotOptions& options, const Plotted& plotted, Output& output) {
    const bert::Projection projection = bert::principal_components(plotted.vectors);
    PointColours colours;
    if (options.clusters) colours = colours_by_cluster(plotted, options);
    else if (!options.colour_field.empty()) colours = colours_by_field(plotted.input.records, options.colour_field);
    else colours.group_of.assign(plotted.input.texts.size(), -1);
    if (!options.json) {
        output.write(map_page(plotted.input.texts, projection, colours));
        return;
    }
    for (std::size_t i = 0; i < plotted.input.texts.size(); ++i) {
        Record record = plotted.input.records[i];
        const auto row = static_cast<bert::Index>(i);
        record["point"] = {score_of(static_cast<float>(projection.points(row, 0))),
                           score_of(static_cast<float>(projection.points(row, 1)))};
        if (options.clusters) {
            record["cluster"] = colours.group_of[i] < 0 ? Record() : Record(colours.group_of[i]);
        }
        output.write_line(record);
    }
}

void run_plot(const CLI::App& command, const PlotOptions& options) {
    if (options.heat_map) {
        refuse_given(command, {"--color-by", "--clusters", "--json"},
                     "is for maps (bert similarity --json gives the numbers of a heat map)");
    }
    if (Store::is_store(options.place)) {
        refuse_given(command,
                     {"--max-length", "--normalize", "--no-normalize", "--pooling", "--truncate-dim", "--field"},
                     "was settled when " + options.place + " was made");
    }
    const Plotted plotted = read_plotted(options);
    Output output(options.output, options.force);
    if (options.heat_map) {
        output.write(
            heat_map_page(plotted.input.texts, bert::similarity(plotted.vectors, plotted.vectors, plotted.measure)));
    } else {
        write_map(options, plotted, output);
    }
    output.commit();
}

}  // namespace

void add_plot(CLI::App& app) {
    const auto options = std::make_shared<PlotOptions>();
    CLI::App& command = *app.add_subcommand("plot", "Draw a map of texts, or their similarities, as a page");
    add_model(command, "place", options->place,
              "Store of bert index, or a model to embed texts with: as for bert embed")
        ->required();
    add_encoder_settings(command, options->encoder);
    add_input_options(command, options->input);
    command.add_flag("--heat-map", options->heat_map, "Draw the similarity of each pair instead of a map");
    auto* const field =
        command.add_option("--color-by", options->colour_field, "Field of JSON objects that gives points their colour");
    auto* const clusters =
        command.add_flag("--clusters", options->clusters, "Colour clusters of texts that are alike")->excludes(field);
    command.add_option("--threshold", options->communities.threshold, "Least cosine with the centre of a cluster")
        ->capture_default_str()
        ->needs(clusters);
    command.add_option("--min-size", options->communities.min_community_size, "Texts of a cluster, at least")
        ->capture_default_str()
        ->needs(clusters);
    command.add_option("-o,--output", options->output, "File to write (default: standard output)");
    command.add_flag("--force", options->force, "Overwrite a file that is there");
    command.add_flag("--json", options->json, "Write the points of a map as JSON lines instead of a page");
    command.footer(R"(Pages need no network and follow the browser's light or dark scheme.

  bert plot all-MiniLM-L6-v2 articles.jsonl --color-by topic -o map.html
  bert plot articles --clusters -o map.html
  bert plot all-MiniLM-L6-v2 titles.txt --heat-map -o similar.html)");
    command.callback([options, &command] { run_plot(command, *options); });
}
