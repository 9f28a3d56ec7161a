"""Compare: how far does the candidate's answer agree with the control's? Pure: two answers in, a result out."""
