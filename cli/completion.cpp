// Shell completion, made from what the commands declare.
#include "completion.hpp"

namespace {

std::string option_names(const CLI::App& app) {
    std::string names;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) names += (names.empty() ? "--" : " --") + name;
    }
    return names;
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
    std::string commands;
    std::string cases;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        commands += command->get_name() + " ";
        cases += "        " + command->get_name() + ") words='" + option_names(*command) + "' ;;\n";
    }
    return "# Completion of bert for bash: source <(bert --completion)\n"
           "_bert() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} words=\n"
           "    COMPREPLY=()\n"
           "    case ${COMP_WORDS[1]} in\n" +
           cases +
           "    esac\n"
           "    if [[ $COMP_CWORD -eq 1 ]]; then words='" +
           commands + option_names(app) +
           "'\n"
           "    elif [[ $word != -* ]]; then return\n"
           "    fi\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "}\n"
           "complete -o default -F _bert bert\n";
}
