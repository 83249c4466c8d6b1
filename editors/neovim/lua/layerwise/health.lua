-- What :checkhealth layerwise says.
local M = {}

local health = vim.health or require('health') -- Neovim 0.7 and 0.8

local function report(kind, ...)
  (health[kind] or health['report_' .. kind])(...)
end

--- Checks the server and the buffers that it speaks of.
function M.check()
  report('start', 'layerwise')
  local layerwise = require('layerwise')
  local program = layerwise.program()
  if vim.fn.executable(program) == 0 then
    report('error', program .. ' is not a program', {
      'Run "go install github.com/layerwise/layerwise/cmd/layerwise@latest" and have its folder on the PATH,',
      'or name the program in setup{cmd = ...}.',
    })
    return
  end
  local version = vim.fn.systemlist({ program, 'version' })[1]
  report('ok', ('%s: %s'):format(vim.fn.exepath(program), version or 'says no version'))

  local attached = 0
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    local status = layerwise.status(bufnr)
    if status then
      attached = attached + 1
      local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ':~:.')
      report('ok', ('%s: %s'):format(name, layerwise.summary(bufnr)))
      for _, other in ipairs(layerwise.neighbours(bufnr)) do
        report('info', other .. ' serves it too: see :help layerwise-neighbours')
      end
      for _, note in ipairs(type(status.notes) == 'table' and status.notes or {}) do
        report('info', note)
      end
    end
  end
  if attached == 0 then
    report(
      'warn',
      'The server has said nothing of a buffer. '
        .. 'Is a Dockerfile open, with the filetype dockerfile, and was setup() called?'
    )
  end
end

return M
