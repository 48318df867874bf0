-- Files of detached months are forgotten by tenant and id, which their primary key finds. Locks nothing. To undo by hand: apply the
-- function's former text. A worker of before reports an error at its next hourly clean-up of detached files, and does it later.
DROP FUNCTION IF EXISTS forget_detached_files(uuid[]);
