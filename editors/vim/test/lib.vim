" What the tests share; the settings of README.md stand above.
function! Fail(what, seen) abort
  call writefile(['FAILED: ' . a:what, 'seen: ' . string(a:seen), execute('messages')] + getline(1, '$'), $FAILURE)
  cquit
endfunction

function! Equal(what, want, expression) abort
  for l:i in range(400)
    if eval(a:expression) ==# a:want
      return
    endif
    sleep 50m
  endfor
  call Fail(a:what . ': want ' . string(a:want), eval(a:expression))
endfunction

function! Write(path, text) abort
  call writefile([a:text], $WORKSPACE . '/' . a:path)
endfunction

" What the screen shows of a line of the buffer.
function! Shown(line) abort
  redraw!
  let l:row = screenpos(win_getid(), a:line, 1).row
  return map(range(1, &columns), {_, column -> screenstring(l:row, column)})
endfunction

" The marks as they are painted, one letter per line: c cached, r rebuilt, ? uncertain, x fails.
function! Marks() abort
  return join(map(range(1, line('$')), {_, line -> get({'✓': 'c', '↻': 'r', '◌': '?', '✗': 'x'}, Shown(line)[0], ' ')}), '')
endfunction

" What stands at the end of a line.
function! Cause(line) abort
  return matchstr(join(Shown(a:line), ''), '\V' . escape(getline(a:line), '\') . ' \zs\.\*\S')
endfunction

function! Change(line, text) abort
  call setline(a:line, a:text)
  ALELint
endfunction

" What is chosen from a list is chosen by a part of its title: of ALE's questions and of the plugin's.
let g:wanted = ''
function! Answer(text) abort
  for l:line in split(a:text, "\n")
    if stridx(l:line, g:wanted) >= 0 && l:line =~# '^\d'
      return matchstr(l:line, '^\d\+')
    endif
  endfor
  call Fail('a choice with ' . g:wanted, a:text)
endfunction
runtime autoload/ale/util.vim
function! ale#util#Input(message, value, ...) abort
  return Answer(a:message)
endfunction
