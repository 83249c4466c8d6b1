-- The client of Layerwise: starts the server for Dockerfiles, paints its marks and gives its actions names.
-- It runs on Neovim 0.7 and newer: what a version does not have is asked for by name, never by number.
local marks = require('layerwise.marks')

local M = {}

local defaults = {
  cmd = { 'layerwise', 'serve', '--stdio' },
  --- The server's settings; `layerwise` in front of their names is left out.
  settings = { baseline = 'auto', codeLens = true },
  --- The sign of each kind of step, one or two cells wide; false for no signs.
  signs = { cached = '✓', rebuilt = '↻', uncertain = '◌', fails = '✗' },
  --- Whether windows of Dockerfiles get a sign column for two signs, so that those of diagnostics do not hide the
  --- marks.
  wide_sign_column = true,
  --- Whether to write at the end of a line why it is rebuilt.
  causes = true,
  --- Called with (client, bufnr), for key maps.
  on_attach = nil,
  --- For completion plugins that extend what the client says that it can do.
  capabilities = nil,
}

local options = defaults

--- The newest status of each buffer.
local statuses = {}

local function message(text, level)
  vim.notify('Layerwise: ' .. text, level or vim.log.levels.INFO)
end

--- Gives the windows of a buffer that has marks a sign column that is wide enough.
local function make_room(bufnr)
  if options.signs and options.wide_sign_column then
    marks.make_room(bufnr)
  end
end

local function clients_of(bufnr)
  return vim.lsp.get_clients and vim.lsp.get_clients({ bufnr = bufnr }) or vim.lsp.buf_get_clients(bufnr)
end

--- The names of other servers for Dockerfiles that serve a buffer.
function M.neighbours(bufnr)
  local names = {}
  for _, client in pairs(clients_of(bufnr)) do
    if vim.bo[bufnr].filetype == 'dockerfile' and client.name:find('^docker') then
      table.insert(names, client.name)
    end
  end
  return names
end

--- Says once of each other server that what both say comes twice.
local function tell_of_neighbours(bufnr)
  local file = vim.fn.stdpath('cache') .. '/layerwise-neighbours'
  local told = vim.fn.filereadable(file) == 1 and vim.fn.readfile(file) or {}
  for _, name in ipairs(options.settings.marksOnly and {} or M.neighbours(bufnr)) do
    if not vim.tbl_contains(told, name) then
      local twice = ' serves this file too, so that findings, hovers and completions come twice.'
      message(name .. twice .. ' See :help layerwise-neighbours')
      table.insert(told, name)
      vim.fn.mkdir(vim.fn.stdpath('cache'), 'p')
      vim.fn.writefile(told, file)
    end
  end
end

local function on_cache_status(err, status)
  if err or not status then
    return
  end
  local bufnr = vim.uri_to_bufnr(status.uri)
  if not vim.api.nvim_buf_is_loaded(bufnr) then
    statuses[bufnr] = nil
    return
  end
  if type(status.version) ~= 'number' then -- the document was closed
    statuses[bufnr] = nil
    marks.clear(bufnr)
    return
  end
  if status.version ~= vim.lsp.util.buf_versions[bufnr] then
    return -- the answer for the newest text follows
  end
  if not statuses[bufnr] then
    make_room(bufnr)
  end
  statuses[bufnr] = status
  vim.cmd('redrawstatus!')
  if status.state == 'pending' then
    return
  end
  marks.paint(bufnr, status, options.signs, options.causes)
  tell_of_neighbours(bufnr)
end

local function on_attach(client, bufnr)
  -- The summaries of a Dockerfile's stages are painted with the marks; those of compose and bake files are lenses.
  if options.settings.codeLens and vim.lsp.codelens.enable and vim.bo[bufnr].filetype ~= 'dockerfile' then
    vim.lsp.codelens.enable(true, { bufnr = bufnr })
  end
  if options.on_attach then
    options.on_attach(client, bufnr)
  end
end

--- The workspace folder of a Dockerfile: its repository, else its own folder.
local function root_of(bufnr)
  local file = vim.api.nvim_buf_get_name(bufnr)
  local directory = vim.fn.fnamemodify(file, ':p:h')
  local found = vim.fn.finddir('.git', directory .. ';')
  if found == '' then
    found = vim.fn.findfile('.git', directory .. ';') -- a worktree
  end
  return found == '' and directory or vim.fn.fnamemodify(found, ':p'):gsub('/+$', ''):gsub('/?%.git$', '')
end

--- The types of the files that the server reads. Of YAML, HCL and JSON it reads what is named as a compose or bake
--- file.
local filetypes = { 'dockerfile', 'yaml', 'yaml.docker-compose', 'hcl', 'json' }

local function is_ours(bufnr)
  if vim.bo[bufnr].filetype == 'dockerfile' then
    return true
  end
  local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ':t')
  return (name:find('^compose') or name:find('^docker%-compose')) and name:find('%.ya?ml$') ~= nil
    or name:find('^docker%-bake') and (name:find('%.hcl$') or name:find('%.json$')) ~= nil
    or false
end

--- What the client can do: also show what an edit rests on, as :LayerwiseReorder does.
local function capabilities()
  local edits = { documentChanges = true, changeAnnotationSupport = { groupsOnLabel = false } }
  local own = { workspace = { workspaceEdit = edits } }
  return vim.tbl_deep_extend('force', options.capabilities or vim.lsp.protocol.make_client_capabilities(), own)
end

local function config()
  return {
    name = 'layerwise',
    cmd = options.cmd,
    filetypes = filetypes,
    init_options = { cacheStatus = true, writesTexts = true, layerwise = options.settings },
    settings = { layerwise = options.settings },
    capabilities = capabilities(),
    handlers = { ['layerwise/cacheStatus'] = on_cache_status },
    on_attach = on_attach,
    on_exit = function()
      vim.schedule(function()
        for bufnr in pairs(statuses) do
          if vim.api.nvim_buf_is_valid(bufnr) then
            marks.clear(bufnr)
          end
        end
        statuses = {}
      end)
    end,
  }
end

--- The ids of the clients that start() made where there is no vim.lsp.start (Neovim 0.7), by root folder.
local client_ids = {}

local function start(bufnr)
  local root = root_of(bufnr)
  local made = vim.tbl_extend('force', config(), { root_dir = root })
  if vim.lsp.start then
    vim.lsp.start(made, { bufnr = bufnr })
    return
  end
  local running = client_ids[root] and vim.lsp.get_client_by_id(client_ids[root])
  if not running or running.is_stopped() then
    client_ids[root] = vim.lsp.start_client(made)
  end
  vim.lsp.buf_attach_client(bufnr, client_ids[root])
end

--- Starts the server for every Dockerfile that is open or will be. See |layerwise-setup|.
function M.setup(given)
  -- The causes are painted with the marks: in step with them, in every version, and not a second time as inlay hints.
  options = vim.tbl_deep_extend('force', defaults, given or {}, { settings = { inlayHints = false } })
  if vim.fn.executable(options.cmd[1]) == 0 then
    message(
      options.cmd[1] .. ' is not on the PATH. Run "go install github.com/layerwise/layerwise/cmd/layerwise@latest", '
        .. 'or name the program in setup{cmd = ...}. See :help layerwise-install',
      vim.log.levels.WARN
    )
    return
  end
  marks.define_highlights()
  local group = vim.api.nvim_create_augroup('layerwise', {})
  vim.api.nvim_create_autocmd('ColorScheme', { group = group, callback = marks.define_highlights })
  vim.api.nvim_create_autocmd('BufWinEnter', {
    group = group,
    callback = function(event)
      if statuses[event.buf] then
        make_room(event.buf)
      end
    end,
  })

  if vim.fn.exists('##LspAttach') == 1 then -- of another server, too; in Neovim 0.7 the next text tells of it
    vim.api.nvim_create_autocmd('LspAttach', {
      group = group,
      callback = function(event)
        if statuses[event.buf] then
          tell_of_neighbours(event.buf)
        end
      end,
    })
  end

  if vim.lsp.config and vim.lsp.enable then
    vim.lsp.config(
      'layerwise',
      vim.tbl_extend('force', config(), {
        root_dir = function(bufnr, use)
          if is_ours(bufnr) then
            use(root_of(bufnr))
          end
        end,
      })
    )
    vim.lsp.enable('layerwise')
    return
  end
  vim.api.nvim_create_autocmd('FileType', {
    group = group,
    pattern = filetypes,
    callback = function(event)
      if is_ours(event.buf) then
        start(event.buf)
      end
    end,
  })
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) and is_ours(bufnr) then
      start(bufnr)
    end
  end
end

--- The program that is started as the server.
function M.program()
  return options.cmd[1]
end

--- The newest status of a buffer (default: the current one), for status lines; nil where there is none. See
--- |layerwise-status|.
function M.status(bufnr)
  return statuses[bufnr or vim.api.nvim_get_current_buf()]
end

--- Whether a field of a message is there and says something: JSON's null is not nil.
local function is_text(field)
  return type(field) == 'string' and field ~= ''
end

--- One line about the current buffer for status lines: "5/7 cached · git HEAD, assumed", "fails at line 3 ·
--- git HEAD"; "" where there is nothing to say.
function M.summary(bufnr)
  local status = M.status(bufnr)
  if not status then
    return ''
  elseif status.state == 'pending' then
    return 'reading…'
  end
  local counts = status.summary
  local text = ('%d/%d cached'):format(counts.cached, counts.cached + counts.rebuilt)
  for _, step in ipairs(status.steps) do
    if step.status == 'fails' then
      text = ('fails at line %d'):format(step.line)
      break
    end
  end
  return ('%s · %s%s'):format(text, status.baselineLabel, is_text(status.baseline.assumed) and ', assumed' or '')
end

--- Says what the marks are compared with, how many there are, and the server's remarks.
function M.info()
  local status = M.status()
  if not status then
    message('no status for this file. Is it a Dockerfile, and is the server running? See :help layerwise-trouble')
    return
  end
  local lines = { M.summary(), 'engine ' .. status.engine }
  if status.target ~= '' then
    table.insert(lines, 'target ' .. status.target)
  end
  if is_text(status.baseline.assumed) then
    table.insert(lines, 'assuming that ' .. status.baseline.assumed)
  end
  vim.list_extend(lines, type(status.notes) == 'table' and status.notes or {})
  message(table.concat(lines, '\n'))
end

--- Offers the server's fixes for the line under the cursor; where there is only one, newer versions of Neovim make it.
function M.fix()
  if vim.lsp.start then
    vim.lsp.buf.code_action({ context = { only = { 'quickfix' } }, apply = true })
  else -- Neovim 0.7
    vim.lsp.buf.code_action({ only = { 'quickfix' } })
  end
end

--- The client of the current buffer; says so where there is none.
local function client_here()
  local bufnr = vim.api.nvim_get_current_buf()
  for _, client in pairs(clients_of(bufnr)) do
    if client.name == 'layerwise' then
      return client, bufnr
    end
  end
  message('no server is running for this file. See :help layerwise-trouble')
end

--- Sends our server a request about the current buffer and hands on its result; an error is shown.
local function ask(method, params, on_result)
  local client, bufnr = client_here()
  if not client then
    return
  end
  params = params or { textDocument = vim.lsp.util.make_text_document_params(bufnr) }
  local function on_answer(err, result)
    if err then
      message(err.message, vim.log.levels.ERROR)
    elseif on_result and result then
      on_result(result)
    end
  end
  if vim.fn.has('nvim-0.11') == 1 then
    client:request(method, params, on_answer, bufnr)
  else
    client.request(method, params, on_answer, bufnr)
  end
end

--- The edits of a workspace edit in one buffer, and what they rest on.
local function edits_in(edit, bufnr)
  local uri = vim.uri_from_bufnr(bufnr)
  local edits = edit.changes and edit.changes[uri] or {}
  for _, change in ipairs(edit.documentChanges or {}) do
    if change.textDocument and change.textDocument.uri == uri then
      edits = change.edits
    end
  end
  local facts = ''
  for _, note in pairs(edit.changeAnnotations or {}) do
    facts = facts .. (note.description or '')
  end
  return edits, facts
end

--- Shows what a rewrite would change and what it rests on, and makes the change if the user wants that.
local function preview(client, bufnr, action)
  local edits, facts = edits_in(action.edit, bufnr)
  local tick = vim.api.nvim_buf_get_changedtick(bufnr)
  local after = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(after, 0, -1, false, vim.api.nvim_buf_get_lines(bufnr, 0, -1, false))
  vim.lsp.util.apply_text_edits(edits, after, client.offset_encoding, action.edit.changeAnnotations)
  vim.bo[after].bufhidden = 'wipe'
  vim.bo[after].syntax = 'dockerfile'
  vim.cmd('tab split | diffthis')
  vim.cmd(('vertical sbuffer %d | diffthis | redraw'):format(after))
  local tab = vim.api.nvim_get_current_tabpage()
  message(action.title .. (facts ~= '' and '\n' .. facts or ''))
  vim.ui.select({ 'Apply', 'Leave the file as it is' }, { prompt = action.title .. '?' }, function(choice)
    if vim.api.nvim_tabpage_is_valid(tab) then
      vim.cmd(vim.api.nvim_tabpage_get_number(tab) .. 'tabclose')
    end
    if choice ~= 'Apply' then
      return
    elseif vim.api.nvim_buf_get_changedtick(bufnr) ~= tick then
      return message('the file was edited meanwhile. Ask for the reordering again.')
    end
    vim.lsp.util.apply_workspace_edit(action.edit, client.offset_encoding)
  end)
end

--- Offers the server's rewrites of the whole file; shows the one that is chosen before it is made.
function M.reorder()
  local client, bufnr = client_here()
  if not client then
    return
  end
  local last = vim.api.nvim_buf_line_count(bufnr)
  ask('textDocument/codeAction', {
    textDocument = vim.lsp.util.make_text_document_params(bufnr),
    range = { start = { line = 0, character = 0 }, ['end'] = { line = last, character = 0 } },
    context = { only = { 'refactor.rewrite' }, diagnostics = {} },
  }, function(actions)
    local offers = vim.tbl_filter(function(action)
      return action.edit or action.command
    end, actions)
    if #offers == 0 then
      local disabled = actions[1] and actions[1].disabled
      return message(disabled and disabled.reason or 'no order is known that keeps the image and rebuilds less')
    end
    local titles = {
      prompt = 'Reorder',
      format_item = function(action)
        return action.title
      end,
    }
    vim.ui.select(offers, titles, function(action)
      if action and action.edit then
        preview(client, bufnr, action)
      elseif action then
        ask('workspace/executeCommand', action.command)
      end
    end)
  end)
end

local function execute(command, ...)
  ask('workspace/executeCommand', { command = command, arguments = { vim.uri_from_bufnr(0), ... } })
end

--- Lets the user choose among what the server lists for the current buffer, and runs the command with it.
local function choose(method, prompt, command)
  ask(method, nil, function(choices)
    vim.ui.select(choices.items, {
      prompt = prompt,
      format_item = function(item)
        local now = (item.spec or item.id) == choices.current and '* ' or '  '
        return now .. item.label .. (item.detail and item.detail ~= '' and ' (' .. item.detail .. ')' or '')
      end,
    }, function(item)
      if item then
        execute(command, item.spec or item.id)
      end
    end)
  end)
end

--- Chooses what the marks are compared with, or takes the one named: :LayerwiseBaseline git:main
function M.baseline(spec)
  if spec and spec ~= '' then
    execute('layerwise.selectBaseline', spec)
  else
    choose('layerwise/baselines', 'Compare the next build with', 'layerwise.selectBaseline')
  end
end

--- Chooses which build of this Dockerfile is meant, among those of compose and bake files.
function M.build()
  choose('layerwise/builds', 'Which build is meant?', 'layerwise.selectBuild')
end

--- Records that the file was built as it is now.
function M.mark_as_built()
  execute('layerwise.markAsBuilt')
end

return M
