local function command(name, run, desc)
  vim.api.nvim_create_user_command(name, function()
    require('layerwise')[run]()
  end, { desc = desc })
end

command('LayerwiseInfo', 'info', 'What the marks are compared with, and how many there are')
command('LayerwiseFix', 'fix', 'Fix the mistake under the cursor')
command('LayerwiseReorder', 'reorder', 'Offer an order of the instructions that saves rebuilds')
