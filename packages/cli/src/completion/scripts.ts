/** The word that a completion prints where the shell shall complete files itself. */
export const FILES_MARK = ":files";

/**
 * What a shell has to run so that it completes cistern's command lines. The scripts know no commands: they ask
 * `cistern completion words`, which has the command table, and get a candidate per line, with what it is behind a tab.
 */
export const COMPLETION_SCRIPTS = {
  bash: `# Completes cistern in bash: source <(cistern completion bash)
_cistern() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == ${FILES_MARK} ]]; then
      compopt -o default
      return
    fi
    printf -v line %q "\${line%%$'\\t'*}"
    COMPREPLY+=("$line")
  done < <("\${COMP_WORDS[0]}" completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _cistern cistern
`,
  zsh: `#compdef cistern
# Completes cistern in zsh: source <(cistern completion zsh)
_cistern() {
  local line
  local -a candidates
  for line in "\${(@f)$("\${words[1]}" completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == ${FILES_MARK} ]]; then
      _files
      return
    fi
    [[ -n $line ]] && candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe cistern candidates
}
compdef _cistern cistern
`,
  fish: `# Completes cistern in fish: cistern completion fish | source
function __cistern_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] completion words -- $words[2..-1] 2>/dev/null)
        if test "$line" = ${FILES_MARK}
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c cistern -f -a '(__cistern_complete)'
`,
} as const;
