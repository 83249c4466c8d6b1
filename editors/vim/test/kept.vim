" Reordering with verification: nothing is changed where the images differ.
execute 'edit' $WORKSPACE . '/kept/Dockerfile'
set filetype=dockerfile
let s:file = bufnr('')
call Equal('the status line', '4/4 cached · git HEAD, assumed', 'layerwise#Summary()')
call writefile([], $DIFFERS)
LayerwiseReorder!
call Equal('it is said that the images differ', 1, 'join(getline(1, "$"), "\n") =~# "\nThe images differ"')
call Equal('nothing is changed where they differ', 'COPY . .', 'getbufline(' . s:file . ', 3)[0]')
call delete($DIFFERS)
bwipeout!
LayerwiseReorder!
wincmd p
call Equal('the verified order', readfile($KEPT), 'getline(1, "$")')
ALEStopAllLSPs
qall!
