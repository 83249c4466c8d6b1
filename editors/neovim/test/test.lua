-- Drives the plugin against the real server, as editors/neovim/test/run starts it. Ends Neovim with code 1 at the
-- first thing that is not as it should be.
local workspace = vim.env.WORKSPACE
local layerwise = require('layerwise')

local function fail(what)
  io.stderr:write('FAILED: ' .. what .. '\n')
  vim.cmd('cquit 1')
end

local function eventually(what, condition, seen)
  local ok = vim.wait(10000, condition, 20)
  if not ok then
    fail(what .. (seen and ('\n  seen: ' .. vim.inspect(seen())) or ''))
  end
end

local function equal(what, want, get)
  eventually(('%s: want %s'):format(what, vim.inspect(want)), function()
    return vim.deep_equal(want, get())
  end, get)
end

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('*a')
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
end

local function buffer_text()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n') .. '\n'
end

--- What the screen shows of a line (1-based) of the buffer.
local function screen_line(line)
  local row = vim.fn.screenpos(0, line, 1).row
  local cells = {}
  for column = 1, vim.o.columns do
    cells[column] = vim.fn.screenstring(row, column)
  end
  return cells
end

--- The signs as one string, one character per line: c cached, r rebuilt, ? uncertain, x fails.
local letters = { ['✓'] = 'c', ['↻'] = 'r', ['◌'] = '?', ['✗'] = 'x' }
local function signs()
  vim.cmd('redraw')
  local line = {}
  for i = 1, vim.api.nvim_buf_line_count(0) do
    line[i] = ' '
    local cells = screen_line(i)
    for column = 1, 6 do -- the signs of diagnostics may stand in front
      line[i] = letters[cells[column]] or line[i]
    end
  end
  return table.concat(line)
end

--- A line with what stands at its end.
local function shown(line)
  vim.cmd('redraw')
  return table.concat(screen_line(line))
end

local function clients()
  return (vim.lsp.get_clients or vim.lsp.get_active_clients)()
end

local function stop_all()
  local running = clients()
  if vim.fn.has('nvim-0.11') == 1 then
    for _, client in ipairs(running) do
      client:stop()
    end
  else
    vim.lsp.stop_client(running)
  end
  eventually('the server stops when it is asked to', function()
    return #clients() == 0
  end)
end

local function replace_line(line, text)
  vim.api.nvim_buf_set_lines(0, line - 1, line, false, { text })
end

-- Choices are made by their title.
local wanted_choice
vim.ui.select = function(items, opts, on_choice)
  local titles = {}
  for i, item in ipairs(items) do
    titles[i] = opts.format_item and opts.format_item(item) or tostring(item)
    if titles[i]:find(wanted_choice, 1, true) then
      return on_choice(item, i)
    end
  end
  fail(('no choice with "%s" among %s'):format(wanted_choice, vim.inspect(titles)))
end

local function open(path, with)
  vim.cmd('silent! %bwipeout!')
  layerwise.setup({ cmd = { vim.env.LAYERWISE, 'serve', '--stdio' }, settings = with })
  vim.cmd('edit ' .. workspace .. '/' .. path)
end

vim.o.swapfile = false
vim.o.signcolumn = 'yes'
vim.o.columns = 120
vim.o.lines = 40
vim.o.hidden = true
vim.cmd('filetype on')

-- The marks, under BuildKit.
open('shop/Dockerfile')
equal('marks of a file that is as it was built', 'ccc  cccc c cc  ', signs)
equal('the status line', '10/10 cached · git HEAD, assumed', layerwise.summary)
eventually('a summary behind the FROM', function()
  return shown(1):find('AS build +all 7 cached')
end, function()
  return shown(1)
end)

write(workspace .. '/shop/src/app.js', 'document.title = "Better shop";\n')
equal('marks after a file of the context was saved', 'ccc  ccrr c c?  ', signs)
eventually('the cause at the line end', function()
  return shown(8):find('COPY src ./src.*app%.js')
end, function()
  return shown(8)
end)

replace_line(7, 'RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev')
equal('marks after an unsaved edit', 'ccc  crrr c c?  ', signs)
eventually('the summary is in step with the marks', function()
  return shown(1):find('4 of 7 cached', 1, true)
end, function()
  return shown(1)
end)

-- While lines are typed, marks, causes and summary are those of one text, and no mark stands at an empty line.
for _, text in ipairs({ '', 'E', 'ENV A=1', 'ENV A=1\nR', 'ENV A=1\nRUN x' }) do
  local lines = vim.split(text, '\n')
  vim.api.nvim_buf_set_lines(0, 5, 5, false, lines)
  for _ = 1, 10 do
    vim.wait(20)
    local painted, summary = signs(), shown(1)
    local _, cached = painted:sub(1, 9 + #lines):gsub('c', '')
    local said = tonumber(summary:match('(%d+) of') or summary:match('all (%d+)'))
    if text == '' and painted:sub(6, 6) ~= ' ' or cached ~= said then
      fail(('while %q is typed: %s, and the summary says %s'):format(text, signs(), shown(1)))
    end
  end
  vim.api.nvim_buf_set_lines(0, 5, 5 + #lines, false, {})
  equal('marks of the text before', 'ccc  crrr c c?  ', signs)
end

vim.cmd('silent write')
vim.fn.system({ 'git', '-C', workspace, 'commit', '-qam', 'A better shop' })
equal('marks after a commit', 'ccc  cccc c cc  ', signs)

-- EVN.
replace_line(12, 'EVN PORT=8080')
local function word_and_range()
  local found = vim.diagnostic.get(0)[1]
  return found and { found.lnum, found.col, found.end_lnum, found.end_col, found.severity }
end
equal('the diagnostic on EVN', { 11, 0, 11, 3, vim.diagnostic.severity.ERROR }, word_and_range)
eventually('the diagnostic says what was meant', function()
  return vim.diagnostic.get(0)[1].message:find('ENV', 1, true)
end)
eventually('the sign of the diagnostic stands in the same line', function()
  signs()
  return screen_line(12)[1] == 'E' or screen_line(12)[3] == 'E'
end, function()
  return shown(12)
end)
equal('marks of a file with a mistake', 'ccc  cccc cxcc  ', signs)
equal('the status line where the build fails', 'fails at line 12 · git HEAD, assumed', layerwise.summary)

vim.api.nvim_win_set_cursor(0, { 12, 1 })
wanted_choice = 'Change to ENV'
vim.cmd('LayerwiseFix')
equal('the fix', 'ENV PORT=8080', function()
  return vim.api.nvim_buf_get_lines(0, 11, 12, false)[1]
end)
equal('no diagnostic after the fix', 0, function()
  return #vim.diagnostic.get(0)
end)

-- Hover.
write(workspace .. '/shop/src/app.js', 'document.title = "The best shop";\n')
equal('marks after the context changed again', 'ccc  ccrr c c?  ', signs)
vim.api.nvim_win_set_cursor(0, { 8, 2 })
vim.lsp.buf.hover()
local float
local function hover()
  for _, window in ipairs(vim.api.nvim_list_wins()) do
    if vim.api.nvim_win_get_config(window).relative ~= '' then
      float = window
      return table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false), '\n')
    end
  end
end
eventually('the hover names the cause', function()
  return (hover() or ''):find('src/app.js', 1, true)
end, hover)
vim.api.nvim_win_close(float, true)

-- Completion: a stage, where the buffer names one half. The first that is offered is put in; the test types on once
-- the menu is there.
vim.bo.omnifunc = 'v:lua.vim.lsp.omnifunc'
vim.o.completeopt = 'menu'
local ticks = 0
local timer = vim.loop.new_timer()
timer:start(50, 50, vim.schedule_wrap(function()
  ticks = ticks + 1
  if vim.fn.pumvisible() == 1 or ticks == 200 then
    timer:stop()
    vim.api.nvim_input('<C-y><Esc>')
  end
end))
vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes('GoCOPY --from=bu<C-x><C-o>', true, false, true), 'tx!', false)
equal('the completed stage', 'COPY --from=build', function()
  return vim.api.nvim_buf_get_lines(0, -2, -1, false)[1]
end)
vim.api.nvim_buf_set_lines(0, -2, -1, false, {})

-- Rename, where a stage is named and where it is copied from.
vim.api.nvim_win_set_cursor(0, { 1, 24 })
vim.lsp.buf.rename('compile')
local renamed = { 'FROM node:22-alpine AS compile', 'COPY --from=compile /shop/dist /usr/share/nginx/html' }
equal('the renamed stage', renamed, function()
  return { vim.api.nvim_buf_get_lines(0, 0, 1, false)[1], vim.api.nvim_buf_get_lines(0, 13, 14, false)[1] }
end)
equal('marks after the rename, which changes no cache key', 'ccc  ccrr c c?  ', signs)

-- The health check.
equal('the status line of the newest text', '7/10 cached · git HEAD, assumed', layerwise.summary)
vim.cmd('checkhealth layerwise')
eventually('the health check knows of the file', function()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n'):find('shop/Dockerfile: 7/10 cached', 1, true)
end, buffer_text)
vim.cmd('bwipeout!')
if vim.api.nvim_buf_get_name(0) == '' then
  vim.cmd('tabclose')
end

-- The status line is drawn anew when the answer comes.
vim.o.laststatus, vim.o.statusline = 2, "%{v:lua.require'layerwise'.summary()}"
replace_line(6, 'COPY package.json ./')
equal('the status line on the screen', '5', function()
  return vim.fn.screenstring(vim.o.lines - 1, 1)
end)
vim.cmd('silent undo')

-- Another baseline, by name and from the list; and recorded as built.
vim.cmd('LayerwiseBaseline opened')
eventually('the status line names the baseline', function()
  return layerwise.summary():find('opened', 1, true)
end, layerwise.summary)
wanted_choice = 'git'
vim.cmd('LayerwiseBaseline')
eventually('the baseline that was chosen', function()
  return layerwise.summary():find('git', 1, true)
end, layerwise.summary)
vim.cmd('silent write')
vim.cmd('LayerwiseMarkAsBuilt')
vim.cmd('LayerwiseBaseline auto')
equal('marks of what is recorded as built', 'ccc  cccc c cc  ', signs)
stop_all()

-- Beside another server: what both say comes twice, which is said once; where only marks are wanted, ours are left out.
local function beside(with, want)
  stop_all()
  write(workspace .. '/shop/src/app.js', 'document.title = "Beside another server";\n')
  local told = {}
  local notify = vim.notify
  vim.notify = function(text)
    table.insert(told, text)
  end
  open('shop/Dockerfile', with)
  local id = vim.lsp.start_client({ name = 'dockerls', cmd = { vim.env.NEIGHBOUR, '--stdio' }, root_dir = workspace })
  vim.lsp.buf_attach_client(0, id)
  eventually('both servers run', function()
    return #clients() == 2 and clients()[1].server_capabilities and clients()[2].server_capabilities
  end)
  replace_line(12, 'EVN PORT=8080')
  equal('marks beside another server', 'ccc  ccrr cxc?  ', signs)
  vim.notify = notify
  local seen = { notices = #told }
  eventually('the other server finds the mistake', function()
    seen.findings = #vim.diagnostic.get(0, { lnum = 11 })
    for _, found in ipairs(vim.diagnostic.get(0, { lnum = 11 })) do
      if found.source ~= 'layerwise' then
        return true
      end
    end
  end, function()
    return vim.diagnostic.get(0)
  end)
  local function count(method, position, has)
    local number = 0
    local params = { textDocument = vim.lsp.util.make_text_document_params(0), position = position }
    local answers = vim.lsp.buf_request_sync(0, method, params, 10000)
    for _, answer in pairs(answers) do
      if vim.inspect(answer.result):find(has, 1, true) then
        number = number + 1
      end
    end
    return number
  end
  seen.completions = count('textDocument/completion', { line = 13, character = 12 }, '"compile"')
  seen.meanings = count('textDocument/hover', { line = 0, character = 1 }, 'FROM')
  wanted_choice = 'git'
  vim.cmd('LayerwiseBaseline') -- asks our server alone: the other one would answer with an error
  equal('what comes twice', want, function()
    return seen
  end)
end

if vim.fn.executable(vim.env.NEIGHBOUR) == 1 then
  beside({}, { notices = 1, findings = 2, completions = 2, meanings = 2 })
  beside({ marksOnly = true }, { notices = 0, findings = 1, completions = 1, meanings = 1 })
  stop_all()
else
  io.stderr:write('SKIPPED: beside docker-langserver, which is not there\n')
end

-- Reordering, under the classic builder.
open('seed/Dockerfile', { engine = 'classic' })
eventually('marks of the seed', function()
  return signs():find('c', 1, true)
end, signs)
local select, before, shown = vim.ui.select, buffer_text(), nil
vim.ui.select = function(items, opts, on_choice)
  if items[1] == 'Apply' then
    shown = buffer_text() -- of the preview
    wanted_choice = 'Apply'
  else
    wanted_choice = 'classic builder'
  end
  select(items, opts, on_choice)
end
vim.cmd('LayerwiseReorder')
equal('the reordered file', read(vim.env.AFTER), buffer_text)
equal('it was shown before it was applied', read(vim.env.AFTER), function()
  return before ~= shown and shown
end)
equal('the preview is closed', 1, function()
  return #vim.api.nvim_list_tabpages()
end)
stop_all()

-- Reordering with verification: nothing is changed where the images differ.
local kept = read(workspace .. '/kept/Dockerfile')
write(vim.env.DIFFERS, '')
open('kept/Dockerfile', { engine = 'buildkit', buildkit = 'tcp://127.0.0.1:1' })
eventually('marks of a file that is verified', function()
  return signs():find('c', 1, true)
end, signs)
vim.ui.select = select
wanted_choice = 'Verify and apply'
vim.cmd('LayerwiseReorder')
eventually('it is said that the images differ', function()
  return vim.fn.execute('messages'):find('the reordering makes another image', 1, true)
end, function()
  return vim.fn.execute('messages')
end)
equal('nothing is changed where they differ', kept, buffer_text)
os.remove(vim.env.DIFFERS)
vim.cmd('LayerwiseReorder')
equal('the verified order', read(vim.env.KEPT), buffer_text)
stop_all()
vim.cmd('qall!')
