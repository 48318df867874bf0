-- Indexes of pending deliveries, each with an order that no other index has: plans of claims cannot go astray. Locks
-- webhook_deliveries against changes while it reads what is pending. To undo by hand: make those of 0008 again.
DROP INDEX ix_webhook_deliveries_due, ix_webhook_deliveries_head, ix_webhook_deliveries_leased, ix_webhook_deliveries_tests;
CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (tenant_id, endpoint_id, is_test, next_attempt_at, id) WHERE status = 'pending';
CREATE INDEX ix_webhook_deliveries_head ON webhook_deliveries (tenant_id, endpoint_id, event_id, id) WHERE status = 'pending' AND NOT is_test;
CREATE INDEX ix_webhook_deliveries_leased ON webhook_deliveries (tenant_id, endpoint_id, lease_id) WHERE lease_id IS NOT NULL;

-- What reads in groups have in common has a parameter now.
DROP FUNCTION IF EXISTS pgmq._in_order();
