// Definitions of io/tokenizer_folder.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/model_json.hpp>
#include <bert/io/packed_vocabulary.hpp>
#include <bert/io/tokenizer_folder.hpp>
#include <bert/io/tokenizer_json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// `line` without the whitespace (of all of Unicode) at its end.
BERT_INLINE std::string_view trim_end(std::string_view line) {
    constexpr std::array<std::string_view, 25> spaces = {" ",
                                                         "\t",
                                                         "\n",
                                                         "\v",
                                                         "\f",
                                                         "\r",
                                                         "\xC2\x85",
                                                         "\xC2\xA0",
                                                         "\xE1\x9A\x80",
                                                         "\xE2\x80\x80",
                                                         "\xE2\x80\x81",
                                                         "\xE2\x80\x82",
                                                         "\xE2\x80\x83",
                                                         "\xE2\x80\x84",
                                                         "\xE2\x80\x85",
                                                         "\xE2\x80\x86",
                                                         "\xE2\x80\x87",
                                                         "\xE2\x80\x88",
                                                         "\xE2\x80\x89",
                                                         "\xE2\x80\x8A",
                                                         "\xE2\x80\xA8",
                                                         "\xE2\x80\xA9",
                                                         "\xE2\x80\xAF",
                                                         "\xE2\x81\x9F",
                                                         "\xE3\x80\x80"};
    for (bool again = true; again;) {
        again = false;
        for (const std::string_view space : spaces) {
            if (line.size() >= space.size() && line.substr(line.size() - space.size()) == space) {
                line.remove_suffix(space.size());
                again = true;
            }
        }
    }
    return line;
}

/// Reads vocab.txt: the token of line n (from 0) has id n. Whitespace at the end of a line does not count, an empty
/// line uses up its number, and of equal lines the last wins. (Model files store the vocabulary apart.)
BERT_INLINE void read_vocabulary_text(const ModelPath& path, TokenizerConfig& config) {
    const std::string content = read_model_file(path, std::uintmax_t{64} << 20);
    config.source = path.string();
    if (path.archive()) {
        config.vocabulary = unpack_vocabulary(path.archive()->vocabulary, path.archive()->path);
        std::sort(config.vocabulary.begin(), config.vocabulary.end(),
                  [](const auto& a, const auto& b) { return a.token < b.token; });
        return;
    }
    std::vector<std::pair<std::string_view, std::int32_t>> lines;
    std::optional<std::int32_t> last_empty;  // alone, for a file of line feeds has as many lines as bytes
    std::int32_t id = 0;
    for (std::size_t start = 0; start < content.size(); ++id) {
        const std::size_t end = std::min(content.find('\n', start), content.size());
        const std::string_view line = trim_end(std::string_view(content).substr(start, end - start));
        if (line.empty()) last_empty = id;
        else lines.emplace_back(line, id);
        start = end + 1;
    }
    if (last_empty) lines.emplace_back(std::string_view(), *last_empty);
    std::sort(lines.begin(), lines.end());
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const bool last_of_equals = i + 1 == lines.size() || lines[i].first != lines[i + 1].first;
        if (last_of_equals) config.vocabulary.push_back({std::string(lines[i].first), lines[i].second});
    }
}

/// The small JSON files beside a vocabulary: how transformers names special tokens and sets the flags of BERT.
class TokenizerFolder {
public:
    TokenizerFolder() = default;

    explicit TokenizerFolder(const ModelPath& folder) {
        load(folder / "tokenizer_config.json", settings_);
        // Since tokenizer_config.json lists the added tokens itself, the two older files no longer count.
        if (find(settings_.json, "added_tokens_decoder")) return;
        load(folder / "special_tokens_map.json", names_);
        load(folder / "added_tokens.json", added_);
    }

    void read_names(TokenizerConfig& config) const {
        config.cls_token = name("cls_token", config.cls_token);
        config.sep_token = name("sep_token", config.sep_token);
        config.pad_token = name("pad_token", config.pad_token);
        config.mask_token = name("mask_token", config.mask_token);
        for (const char* key : {"model_max_length", "max_len"}) {
            const auto length = get_number(settings_.json, key, settings_.path);
            if (!length) continue;
            if (*length < 0) wrong_type(settings_.path, key, "a positive number", settings_.json[key]);
            // 10^30 is how "no limit" is written.
            if (*length < 1e15) config.model_max_length = static_cast<std::size_t>(*length);
            break;
        }
    }

    /// What transformers' BertTokenizer makes of a vocabulary without tokenizer.json.
    void complete(TokenizerConfig& config, const std::filesystem::path& vocabulary) const {
        const auto kind = get_string(settings_.json, "tokenizer_class", settings_.path).value_or("BertTokenizer");
        if (kind.find("Japanese") != std::string::npos || find(settings_.json, "word_tokenizer_type") ||
            find(settings_.json, "subword_tokenizer_type")) {
            fail(ErrorKind::unsupported, settings_.path,
                 ": the tokenizer cuts words as Japanese dictionaries do; supported are those of BertTokenizer");
        }
        config.unk_token = name("unk_token", config.unk_token);
        config.normalizer.clean_text = true;
        set_flags(config.normalizer, flag("do_lower_case").value_or(true));
        add_tokens(config);
        set_bert_templates(config, config.cls_token, id_of(config.cls_token, config, vocabulary), config.sep_token,
                           id_of(config.sep_token, config, vocabulary));
    }

    /// BertTokenizer and BertTokenizerFast normalize as tokenizer_config.json says, also where tokenizer.json says
    /// otherwise.
    void override_flags(TokenizerConfig& config) const {
        const auto type = get_string(settings_.json, "tokenizer_class", settings_.path);
        const auto lower = flag("do_lower_case");
        const NormalizerConfig& given = config.normalizer;
        const bool is_bert = given.clean_text && !given.lowercase_first && !given.strip_marks;
        if (!lower || !is_bert || (type && *type != "BertTokenizer" && *type != "BertTokenizerFast")) return;
        set_flags(config.normalizer, *lower);
    }

private:
    struct File {
        ModelPath path;
        JsonDocument json = Json::object();
    };

    /// In the order in which BertTokenizer adds them, with the text it gives to those that no file names.
    static constexpr std::array<std::pair<const char*, const char*>, 7> named_tokens = {{{"bos_token", ""},
                                                                                         {"eos_token", ""},
                                                                                         {"unk_token", "[UNK]"},
                                                                                         {"sep_token", "[SEP]"},
                                                                                         {"pad_token", "[PAD]"},
                                                                                         {"cls_token", "[CLS]"},
                                                                                         {"mask_token", "[MASK]"}}};

    static void load(const ModelPath& path, File& file) {
        file.path = path;
        if (is_there(path)) file.json = read_json_object(path);
    }

    /// The value of a special token and the file it stands in; null where a file says so, which then is no file's
    /// default either, and both null where no file names it.
    std::pair<const Json*, const File*> value(const char* key) const {
        for (const File* file : {&names_, &settings_}) {
            if (file->json.contains(key)) return {find(file->json, key), file};
        }
        return {nullptr, nullptr};
    }

    std::optional<bool> flag(const char* key) const { return get_bool(settings_.json, key, settings_.path); }

    void set_flags(NormalizerConfig& normalizer, bool lowercase) const {
        normalizer.lowercase = lowercase;
        normalizer.handle_chinese_chars = flag("tokenize_chinese_chars").value_or(true);
        normalizer.strip_nonspacing_marks = flag("strip_accents").value_or(lowercase);
        normalizer.decompose = normalizer.strip_nonspacing_marks;
    }

    std::string name(const char* key, const std::string& fallback) const {
        const auto [json, file] = value(key);
        if (!json) return fallback;
        return json->is_object() ? require_string(*json, "content", file->path)
                                 : *get_string(file->json, key, file->path);
    }

    /// A token written as a string (then it is special) or as an object.
    static AddedToken token(const Json& json, bool special, const std::filesystem::path& path) {
        AddedToken result;
        result.special = special || json.is_string();
        if (!json.is_string()) return read_added_token(json, result, path);
        result.content = json.get<std::string>();
        return result;
    }

    void add_tokens(TokenizerConfig& config) const {
        auto& tokens = config.added_tokens;
        std::vector<std::pair<std::int32_t, AddedToken>> numbered;
        if (const Json* listed = find(settings_.json, "added_tokens_decoder")) {
            if (!listed->is_object()) wrong_type(settings_.path, "added_tokens_decoder", "an object", *listed);
            for (auto it = listed->begin(); it != listed->end(); ++it) {
                const bool digits = !it.key().empty() && it.key().size() < 10 &&
                                    it.key().find_first_not_of("0123456789") == std::string::npos;
                if (!digits) {
                    fail(ErrorKind::format, settings_.path, ": \"", it.key(),
                         "\" in \"added_tokens_decoder\" is not an id");
                }
                numbered.emplace_back(std::stoi(it.key()), read_added_token(it.value(), {}, settings_.path));
            }
        }
        std::vector<AddedToken> named;
        std::set<std::string> special;  // of the tokens of added_tokens.json
        for (const auto& [key, fallback] : named_tokens) {
            const auto [json, file] = value(key);
            if (json) {
                named.push_back(token(*json, true, file->path));
                if (json->is_object() && !find(*json, "normalized")) named.back().normalized = false;
                // The reference does not look into the objects of tokenizer_config.json here.
                if (json->is_string() || file == &names_) special.insert(named.back().content);
            } else if (!file && *fallback) {
                named.push_back({fallback, false, false, false, false, true});
            }
        }
        // Nor into special_tokens_map.json for additional_special_tokens.
        for (const auto& [file, key] : extra_places()) {
            if (file == &names_ && std::string_view(key) == "additional_special_tokens") continue;
            for (const Json* item : extra_list(*file, key)) {
                if (item->is_string() || file == &names_) special.insert(token(*item, true, file->path).content);
            }
        }
        for (auto it = added_.json.begin(); it != added_.json.end(); ++it) {
            AddedToken added;
            added.content = it.key();
            added.special = special.count(it.key()) != 0;
            added.normalized = !added.special;
            numbered.emplace_back(read_id(it.value(), it.key(), added_.path), std::move(added));
        }
        std::stable_sort(numbered.begin(), numbered.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        for (auto& entry : numbered) tokens.push_back(std::move(entry.second));

        std::map<std::string, std::size_t> known;
        for (std::size_t i = 0; i < tokens.size(); ++i) known.emplace(tokens[i].content, i);
        const std::size_t listed = tokens.size();
        const auto add = [&](AddedToken added, bool is_named) {
            const auto [place, is_new] = known.emplace(added.content, tokens.size());
            if (is_new) {
                tokens.push_back(std::move(added));
                return;
            }
            AddedToken& old = tokens[place->second];
            // A token that is listed already counts as special once a special name points at it; of others the last
            // counts.
            if (place->second < listed) {
                old.special = old.special || is_named;
            } else {
                added.special = added.special || old.special;
                old = std::move(added);
            }
        };
        for (AddedToken& added : named) {
            added.special = true;
            add(std::move(added), true);
        }
        // Extra tokens with a name of their own, then those without.
        for (const File* file : {&settings_, &names_}) {
            if (const Json* extra = find(file->json, "extra_special_tokens"); extra && extra->is_object()) {
                for (const Json& item : *extra) {
                    AddedToken added = token(item, true, file->path);
                    added.special = true;
                    add(std::move(added), true);
                }
            }
        }
        for (const auto& [file, key] : extra_places()) {
            for (const Json* item : extra_list(*file, key)) add(token(*item, file == &names_, file->path), false);
        }
    }

    /// Where special tokens stand that have no name of their own.
    std::vector<std::pair<const File*, const char*>> extra_places() const {
        constexpr const char *extra = "extra_special_tokens", *additional = "additional_special_tokens";
        std::vector<std::pair<const File*, const char*>> result = {{&settings_, extra}, {&names_, extra}};
        if (extra_list(settings_, extra).empty()) result[0].second = additional;
        // The older key of special_tokens_map.json counts where no other file, and no newer key, has a say.
        const bool settled = settings_.json.contains(additional) || extra_array(settings_) || extra_array(names_);
        if (!settled) result[1].second = additional;
        return result;
    }

    static bool extra_array(const File& file) {
        const auto extra = file.json.find("extra_special_tokens");
        return extra != file.json.end() && !extra->is_object();
    }

    /// A list of special tokens. An object, as transformers 4.47 to 4.57 write it even where it is empty, gives names
    /// to its tokens.
    static std::vector<const Json*> extra_list(const File& file, const char* key) {
        const Json* list = find(file.json, key);
        if (!list || (list->is_object() && std::string_view(key) == "extra_special_tokens")) return {};
        std::vector<const Json*> items;
        for (const Json& item : require(file.json, key, Json::value_t::array, file.path)) items.push_back(&item);
        return items;
    }

    /// Id of a token that the template needs. The entries are sorted by token.
    static std::int32_t id_of(const std::string& token, const TokenizerConfig& config,
                              const std::filesystem::path& vocabulary) {
        const auto entry = std::lower_bound(config.vocabulary.begin(), config.vocabulary.end(), token,
                                            [](const auto& e, const std::string& t) { return e.token < t; });
        if (entry == config.vocabulary.end() || entry->token != token) {
            fail(ErrorKind::vocabulary, vocabulary, " lacks the special token \"", token, "\"");
        }
        return entry->id;
    }

    File settings_, names_, added_;
};

}  // namespace detail

BERT_INLINE TokenizerConfig load_tokenizer_config(const ModelPath& path) {
    TokenizerConfig config;
    const bool is_folder = detail::is_folder(path);
    if (!is_folder && std::filesystem::path(path).extension() != ".txt") {
        detail::read_tokenizer_json(path, config);
        return config;
    }
    // A vocabulary given as a file stands alone: no settings are looked for beside it.
    const detail::TokenizerFolder folder = is_folder ? detail::TokenizerFolder(path) : detail::TokenizerFolder();
    folder.read_names(config);
    if (is_folder && detail::is_there(path / "tokenizer.json")) {
        detail::read_tokenizer_json(path / "tokenizer.json", config);
        folder.override_flags(config);
    } else if (!is_folder || detail::is_there(path / "vocab.txt")) {
        const ModelPath vocabulary = is_folder ? path / "vocab.txt" : path;
        detail::read_vocabulary_text(vocabulary, config);
        folder.complete(config, vocabulary);
    } else {
        detail::fail(ErrorKind::file, path, " holds neither tokenizer.json nor vocab.txt");
    }
    return config;
}

BERT_NAMESPACE_END
