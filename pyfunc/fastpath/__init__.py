"""Fastpath."""
