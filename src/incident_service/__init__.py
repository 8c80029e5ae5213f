"""The paging core behind Prometheus Alertmanager."""
