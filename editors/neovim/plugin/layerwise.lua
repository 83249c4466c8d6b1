local function command(name, run, desc, nargs)
  vim.api.nvim_create_user_command(name, function(given)
    require('layerwise')[run](given.args)
  end, { desc = desc, nargs = nargs or 0 })
end

command('LayerwiseInfo', 'info', 'What the marks are compared with, and how many there are')
command('LayerwiseFix', 'fix', 'Fix the mistake under the cursor')
command('LayerwiseReorder', 'reorder', 'Offer an order of the instructions that saves rebuilds')
command('LayerwiseBaseline', 'baseline', 'Choose what the marks are compared with', '?')
command('LayerwiseBuild', 'build', 'Choose which build of a compose or bake file is meant')
command('LayerwiseMarkAsBuilt', 'mark_as_built', 'Record that the file was built as it is now')
