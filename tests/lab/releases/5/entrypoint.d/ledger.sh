# This release wants a setting that no deployment has. An update run gets by without, so the database is already migrated
# when the first server of the release ends at its start.
case " $* " in
  *" --stop-after-init "* | *" shell "* | *" db "* | *" neutralize "*) ;;
  *) [ -n "${ACME_LEDGER_URL:-}" ] || fail "acme_billing 19.0.5.0.0 needs ACME_LEDGER_URL to serve" ;;
esac
