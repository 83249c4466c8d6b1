" Layerwise: the Docker build cache, while you edit.
call layerwise#Define('hcl')
