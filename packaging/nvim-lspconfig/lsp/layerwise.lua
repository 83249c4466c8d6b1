---@brief
---
--- https://github.com/layerwise/layerwise
---
--- Layerwise says of each instruction of a Dockerfile whether the next build reuses it, and why not; finds mistakes and
--- fixes them; and offers orders that rebuild less. Archives are in its releases, or:
---
--- ```sh
--- go install github.com/layerwise/layerwise/cmd/layerwise@latest
--- ```

---@type vim.lsp.Config
return {
  cmd = { 'layerwise', 'serve', '--stdio' },
  filetypes = { 'dockerfile' },
  root_markers = { '.layerwise.yaml', '.git', 'Dockerfile', 'Containerfile' },
}
