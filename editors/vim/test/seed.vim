" Reordering, under the classic builder.
execute 'edit' $WORKSPACE . '/seed/Dockerfile'
set filetype=dockerfile
call Equal('marks of the seed, where every instruction is a step', 'c ccc cc c', 'Marks()')
let g:wanted = 'classic builder'
LayerwiseReorder
call Equal('the reordered file', readfile($AFTER), 'getline(1, "$")')
ALEStopAllLSPs
qall!
