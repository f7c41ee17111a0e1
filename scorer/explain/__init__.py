"""Why a lead stands where it does: asked of a worker, or found out from what is recorded."""
