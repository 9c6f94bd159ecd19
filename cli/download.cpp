// bert download: a model from the Hugging Face hub, into the cache that its Python client shares.
#include "commands.hpp"
#include "hub_cache.hpp"
#include "interrupt.hpp"
#include "records.hpp"

#include <CLI/CLI.hpp>
#include <bert/error.hpp>

#if defined(BERT_CLI_DOWNLOAD)
#include "hub_download.hpp"
#endif

#include <memory>
#include <string>

namespace {

struct DownloadOptions {
    std::string name;
    std::string revision = "main";
    bool offline = false;
    bool json = false;
    bool quiet = false;
};

void write_result(const std::filesystem::path& folder, const DownloadOptions& options) {
    Output output("");
    if (options.json) {
        output.write_line(
            {{"model", options.name}, {"commit", folder.filename().string()}, {"folder", folder.string()}});
    } else {
        output.write(folder.string() + "\n");
    }
    output.commit();
}

void run_download(const DownloadOptions& options) {
    if (!is_hub_name(options.name)) {
        throw CLI::ValidationError("\"" + options.name +
                                   "\" cannot be a model: expected owner/model, of letters, digits, "
                                   "and - _ . between them");
    }
    if (!is_hub_revision(options.revision)) {
        throw CLI::ValidationError("\"" + options.revision + "\" cannot be a branch, a tag or a commit");
    }
    const HubSettings settings = hub_settings();
    if (options.offline || settings.offline) {
        const auto folder = HubCache(settings.cache, options.name).find(options.revision);
        if (!folder) {
            throw bert::Error(bert::ErrorKind::file, options.name + " at " + options.revision + " is not in " +
                                                         settings.cache.string() + ", and asked not to go online");
        }
        write_result(*folder, options);
        return;
    }
#if defined(BERT_CLI_DOWNLOAD)
    notice_interrupts();
    write_result(download_model(settings, options.name, options.revision, options.quiet), options);
#else
    throw bert::Error(bert::ErrorKind::unsupported, "this bert was built without libcurl, with which it downloads");
#endif
}

}  // namespace

void add_download(CLI::App& app) {
    const auto options = std::make_shared<DownloadOptions>();
    CLI::App& command = *app.add_subcommand("download", "Get a model from the Hugging Face hub");
    command.add_option("name", options->name, "Name on the hub, as in sentence-transformers/all-MiniLM-L6-v2")
        ->required();
    command.add_option("--revision", options->revision, "Branch, tag or commit")->capture_default_str();
    command.add_flag("--offline", options->offline, "Look into the cache only");
    command.add_flag("--json", options->json, "Write JSON");
    command.add_flag("-q,--quiet", options->quiet, "No progress");
    command.footer(
        R"(Writes the folder's path. Other commands take the name in its place, once the model is in the cache: they never go
online. Only the files that are needed are fetched; each is compared with the size and the hash that the hub gives, and
what was interrupted goes on where it was. The cache is the one of the hub's Python client, and so are the settings in
the environment: HF_HOME, HF_HUB_CACHE, XDG_CACHE_HOME, HF_TOKEN, HF_TOKEN_PATH, HF_ENDPOINT and HF_HUB_OFFLINE.

  bert download sentence-transformers/all-MiniLM-L6-v2
  bert embed sentence-transformers/all-MiniLM-L6-v2 texts.txt -o vectors.npy)");
    command.callback([options] { run_download(*options); });
}
