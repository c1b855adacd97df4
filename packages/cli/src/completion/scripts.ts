/** The word that a completion prints where the shell shall complete files itself. */
export const FILES_MARK = ":files";

/**
 * What a shell has to run so that it completes cistern's command lines. The scripts know no commands: they ask
 * `cistern completion words` or `line`, which have the command table, and get a candidate per line (of `words`: with what it
 * is behind a tab).
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
    COMPREPLY+=("$line")
  done < <("\${COMP_WORDS[0]}" completion line -- "$COMP_WORDBREAKS" "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -F _cistern cistern
`,
  zsh: `#compdef cistern
# Completes cistern in zsh, after compinit: source <(cistern completion zsh)
_cistern() {
  local line
  local -a candidates
  for line in "\${(@f)$("\${words[1]}" completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == ${FILES_MARK} ]]; then
      compset -P '--*='
      _files
      return
    fi
    # In _describe's lists a colon ends the word, and a backslash takes its meaning away.
    [[ -n $line ]] && candidates+=("\${\${\${line%%$'\\t'*}//\\\\/\\\\\\\\}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe cistern candidates
}
# As a file named _cistern below $fpath this is run in the place of the function.
if [[ \${funcstack[1]} == _cistern ]]; then
  _cistern "$@"
else
  compdef _cistern cistern
fi
`,
  fish: `# Completes cistern in fish: cistern completion fish | source
function __cistern_complete
    # fish has taken the quotes from all words but the last.
    set -l words (commandline -opc)
    set -l before (string replace -ra '(?!^~)[^\\w./:=-]' '\\\\\\\\$0' -- $words[2..-1])
    set -l last (commandline -ct)
    for line in ($words[1] completion words -- $before $last 2>/dev/null)
        if test "$line" = ${FILES_MARK}
            set -l option (string match -r -- '^--[^=]*=' $last)
            string join \\n -- "$option"(__fish_complete_path (string replace -- "$option" '' $last))
        else
            echo $line
        end
    end
end
complete -c cistern -f -a '(__cistern_complete)'
`,
} as const;
