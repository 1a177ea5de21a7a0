# This release updates like any other, and its servers wait for ever instead of serving: nothing crashes, nothing answers.
case " $* " in
  *" --stop-after-init "* | *" shell "* | *" db "* | *" neutralize "*) ;;
  *) exec sleep infinity ;;
esac
