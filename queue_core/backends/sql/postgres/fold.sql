-- Add up some of what transactions changed.
SELECT prinia_fold(CAST(:most AS integer))
