-- Names of Dockerfiles that older versions of Neovim do not know.
vim.api.nvim_create_autocmd({ 'BufRead', 'BufNewFile' }, {
  pattern = {
    '*.dockerfile', '*.Dockerfile', '*.containerfile', '*.Containerfile', 'dockerfile', 'Containerfile',
    'Dockerfile-*', 'Dockerfile_*', '*-Dockerfile', '*_Dockerfile',
  },
  callback = function()
    if vim.bo.filetype == '' then
      vim.bo.filetype = 'dockerfile'
    end
  end,
})
