-- Paints what layerwise/cacheStatus says: signs, and causes at the line ends where Neovim has no inlay hints.
local M = {}

local namespace = vim.api.nvim_create_namespace('layerwise')

local groups = {
  LayerwiseCached = 'Comment',
  LayerwiseRebuilt = 'Directory',
  LayerwiseUncertain = 'Directory',
  LayerwiseCause = 'Comment',
}

--- The kind of a step's sign; nil for what makes no layer or is not built.
local function kind_of(step)
  if step.status == 'cached' then
    return 'cached'
  elseif step.status == 'rebuilt' then
    return step.certain and 'rebuilt' or 'uncertain'
  end
end

local highlight_of = { cached = 'LayerwiseCached', rebuilt = 'LayerwiseRebuilt', uncertain = 'LayerwiseUncertain' }

--- Defines the highlight groups where the colour scheme does not.
function M.define_highlights()
  for name, link in pairs(groups) do
    vim.cmd(('highlight default link %s %s'):format(name, link))
  end
end

function M.clear(bufnr)
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
end

--- Paints the steps of a status in a buffer.
--- @param signs table|false the text of each kind's sign
--- @param causes boolean whether to write causes at the line ends
function M.paint(bufnr, status, signs, causes)
  M.clear(bufnr)
  for _, step in ipairs(status.steps) do
    local kind = kind_of(step)
    if kind and signs and signs[kind] then
      vim.api.nvim_buf_set_extmark(bufnr, namespace, step.line - 1, 0, {
        sign_text = signs[kind],
        sign_hl_group = highlight_of[kind],
        priority = 5, -- below diagnostics
      })
    end
    if kind and causes then
      local cause = type(step.cause) == 'table' and ': ' .. step.cause.detail or ''
      vim.api.nvim_buf_set_extmark(bufnr, namespace, step.endLine - 1, 0, {
        virt_text = { { step.status .. cause, 'LayerwiseCause' } },
        virt_text_pos = 'eol',
      })
    end
  end
end

return M
