# Goes into ~/.config/kak/kakrc, after the line that loads kakoune-lsp (eval %sh{kak-lsp}), version 18 or newer.
remove-hooks global lsp-filetype-dockerfile
hook -group lsp-filetype-dockerfile global BufSetOption filetype=dockerfile %{
    set-option buffer lsp_servers %{
        [layerwise]
        root_globs = [".git", ".hg", "compose.yaml", "docker-bake.hcl", "Dockerfile"]
        args = ["serve", "--stdio"]
        settings_section = "layerwise"
        [layerwise.settings.layerwise]
        baseline = "auto"
    }
}
hook global WinSetOption filetype=dockerfile %{
    lsp-enable-window
    lsp-inlay-hints-enable window
    lsp-inlay-code-lenses-enable window
}
