"""Invoking."""
