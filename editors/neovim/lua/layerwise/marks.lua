-- Paints what layerwise/cacheStatus says: signs, line numbers, causes at the line ends, and the summaries of stages.
local M = {}

local namespace = vim.api.nvim_create_namespace('layerwise')

local groups = {
  LayerwiseCached = 'Comment',
  LayerwiseRebuilt = 'Directory',
  LayerwiseUncertain = 'Directory',
  LayerwiseFails = 'ErrorMsg',
  LayerwiseCause = 'Comment',
  LayerwiseSummary = 'Comment',
}

--- The kind of a step's sign; nil for what makes no layer or is not built.
local function kind_of(step)
  if step.status == 'cached' then
    return 'cached'
  elseif step.status == 'rebuilt' then
    return step.certain and 'rebuilt' or 'uncertain'
  elseif step.status == 'fails' then
    return 'fails'
  end
end

local highlight_of = {
  cached = 'LayerwiseCached',
  rebuilt = 'LayerwiseRebuilt',
  uncertain = 'LayerwiseUncertain',
  fails = 'LayerwiseFails',
}

local verdict_of = { rebuilt = 'rebuilt', uncertain = 'maybe rebuilt', fails = 'fails' }

--- Defines the highlight groups where the colour scheme does not.
function M.define_highlights()
  for name, link in pairs(groups) do
    vim.cmd(('highlight default link %s %s'):format(name, link))
  end
end

function M.clear(bufnr)
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
end

--- What stands at the end of a step's line; nil for nothing. A cached step with a sign has said all that there is.
local function line_end(step, kind, signs)
  if kind == 'cached' then
    return not (signs and signs[kind]) and 'cached' or nil
  end
  local verdict = verdict_of[kind]
  local cause = step.cause
  if type(cause) ~= 'table' then
    return verdict
  end
  return verdict .. ': ' .. cause.detail
end

--- Gives the windows of a buffer a sign column with room for two signs, a diagnostic's and a mark, and for a third
--- where there is one, unless the user has chosen where signs go.
function M.make_room(bufnr)
  for _, window in ipairs(vim.fn.win_findbuf(bufnr)) do
    if vim.tbl_contains({ 'auto', 'auto:1', 'yes', 'yes:1' }, vim.wo[window].signcolumn) then
      vim.api.nvim_win_call(window, function()
        vim.cmd('setlocal signcolumn=auto:2-3')
      end)
    end
  end
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
        -- Where another sign hides this one, the number still has the colour.
        number_hl_group = kind ~= 'cached' and highlight_of[kind] or nil,
        priority = 5, -- below diagnostics
      })
    end
    local text = kind and causes and line_end(step, kind, signs)
    if text then
      vim.api.nvim_buf_set_extmark(bufnr, namespace, step.endLine - 1, 0, {
        virt_text = { { text, 'LayerwiseCause' } },
        virt_text_pos = 'eol',
        priority = 5,
      })
    end
  end
  for _, stage in ipairs(status.stages or {}) do
    vim.api.nvim_buf_set_extmark(bufnr, namespace, stage.endLine - 1, 0, {
      virt_text = { { stage.text, 'LayerwiseSummary' } },
      virt_text_pos = 'eol',
      priority = 6,
    })
  end
end

return M
