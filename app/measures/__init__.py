"""What calls and outcomes came to by minute and hour: counted in each process, merged in SQL, shown as figures."""
